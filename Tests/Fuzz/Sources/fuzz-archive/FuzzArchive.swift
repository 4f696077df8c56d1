import DevrunArchive
import DevrunCore
import NIOCore

/// libFuzzer's entry: any bytes as a volume's archive.
///
/// They are read or refused. No entry's name leads out of the root, no file is larger than the limit or other than it
/// says, and it does not matter in which pieces the bytes come.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  for archive in [bytes, withChecksums(bytes)] {
    let whole = read(archive, inPiecesOf: max(size, 1))
    let count = [1, 7, 512, 1_000][size % 4]
    precondition(read(archive, inPiecesOf: count) == whole)
    check(whole)
  }
  return 0
}

/// The archive with every header's magic and checksum put right: by chance alone hardly any change would get past them.
private func withChecksums(_ bytes: [UInt8]) -> [UInt8] {
  var bytes = bytes
  for start in stride(from: 0, to: bytes.count - 511, by: 512) {
    guard bytes[(start + 257)..<(start + 260)].elementsEqual("ust".utf8) else { continue }
    bytes.replaceSubrange((start + 257)..<(start + 265), with: Array("ustar".utf8) + [0] + Array("00".utf8))
    bytes.replaceSubrange((start + 148)..<(start + 156), with: Array("        ".utf8))
    let digits = String(bytes[start..<(start + 512)].reduce(0) { $0 + Int($1) }, radix: 8)
    bytes.replaceSubrange((start + 148)..<(start + 148 + digits.utf8.count), with: digits.utf8)
  }
  return bytes
}

/// What a reader makes of an archive, with neighbouring data in one.
private struct Reading: Equatable {
  var events: [ArchiveEvent] = []
  var error: ArchiveError?

  mutating func append(_ event: ArchiveEvent) {
    if case .data(var piece) = event, case .data(var before)? = events.last {
      before.writeBuffer(&piece)
      events[events.count - 1] = .data(before)
    } else {
      events.append(event)
    }
  }
}

private let limits = ArchiveLimits(totalSize: 1 << 20, entries: 100)

private func read(_ bytes: [UInt8], inPiecesOf count: Int) -> Reading {
  var reader = ArchiveReader(limits: limits)
  var reading = Reading()
  do {
    for start in stride(from: 0, to: bytes.count, by: count) {
      reader.feed(ByteBuffer(bytes: bytes[start..<min(start + count, bytes.count)]))
      while let event = try reader.next() { reading.append(event) }
    }
    try reader.finish()
  } catch {
    reading.error = error
    precondition(!error.description.isEmpty)
  }
  return reading
}

private func check(_ reading: Reading) {
  var expected: Int?
  var received = 0
  var total = 0
  var entries = 0
  for event in reading.events {
    switch event {
    case .entry(let entry), .escapingLink(let entry):
      precondition(expected == nil)
      entries += 1
      precondition(
        entry.path.allSatisfy { name in
          !name.bytes.isEmpty && name != "." && name != ".." && !name.bytes.contains(0)
            && !name.bytes.contains(UInt8(ascii: "/"))
        })
      precondition(entry.mode <= 0o777)
      if case .file(let size) = entry.kind {
        precondition(size >= 0)
        expected = size
        received = 0
        total += size
      }
    case .data(let bytes):
      received += bytes.readableBytes
      precondition(received <= expected ?? -1)
    case .endOfFile:
      precondition(received == expected)
      expected = nil
    }
  }
  precondition(total <= limits.totalSize && entries <= limits.entries)
}
