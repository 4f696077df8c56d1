import DevrunCore
import NIOCore
import Testing

@testable import DevrunArchive

@Suite struct ArchiveReaderTests {
  private static let limits = ArchiveLimits(totalSize: 1 << 20, entries: 100)
  private static let end = [UInt8](repeating: 0, count: 1024)

  /// An entry's bytes.
  private static func entry(
    _ name: String, _ kind: TarHeader.Kind = .file, content: String = "", link: String = "", mode: UInt16 = 0o644
  ) -> [UInt8] {
    let header = TarHeader(
      name: Array(name.utf8), kind: kind, mode: mode, size: content.utf8.count, modified: 1_600_000_000,
      linkName: Array(link.utf8))
    return header.blocks + Array(content.utf8)
      + [UInt8](repeating: 0, count: TarHeader.padding(after: content.utf8.count))
  }

  /// Everything that a reader finds, pieces of data joined.
  private static func read(
    _ bytes: [UInt8], pieces: Int = .max, limits: ArchiveLimits = limits
  ) throws -> [ArchiveEvent] {
    var reader = ArchiveReader(limits: limits)
    var events: [ArchiveEvent] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      reader.feed(ByteBuffer(bytes: rest.prefix(pieces)))
      rest = rest.dropFirst(min(pieces, rest.count))
      while let event = try reader.next() {
        if case .data(let more) = event, case .data(var data)? = events.last {
          data.writeImmutableBuffer(more)
          events[events.count - 1] = .data(data)
        } else {
          events.append(event)
        }
      }
    }
    try reader.finish()
    return events
  }

  @Test(arguments: [1, 7, 100, 511, 512, 513, 4096, .max])
  func `An archive is read as it was written, in pieces of any size`(pieces: Int) throws {
    let long = String(repeating: "d", count: 120) + "/" + String(repeating: "f", count: 200)
    let content = String(repeating: "0123456789", count: 100)
    let archive =
      Self.entry("./", .directory, mode: 0o755) + Self.entry("..data", .symbolicLink, link: "..2024/x")
      + Self.entry("empty") + Self.entry("some", content: content, mode: 0o400)
      + Self.entry("sub/", .directory, mode: 0o700) + Self.entry(long, content: "deep") + Self.end
    func entry(_ path: [RawString], _ kind: ArchiveEntry.Kind, _ mode: UInt16 = 0o644) -> ArchiveEvent {
      .entry(ArchiveEntry(path: path, kind: kind, mode: mode, modified: 1_600_000_000))
    }
    #expect(
      try Self.read(archive, pieces: pieces) == [
        entry([], .directory, 0o755), entry(["..data"], .symbolicLink(target: "..2024/x")),
        entry(["empty"], .file(size: 0)), .endOfFile,
        entry(["some"], .file(size: 1000), 0o400), .data(ByteBuffer(string: content)), .endOfFile,
        entry(["sub"], .directory, 0o700),
        entry(long.split(separator: "/").map { RawString(String($0)) }, .file(size: 4)),
        .data(ByteBuffer(string: "deep")), .endOfFile,
      ])
  }

  @Test(arguments: [
    "../x", "a/../b", "a/..", "/etc/passwd", "a//b", "./a", "a/./b", "", "a/", String(repeating: "x", count: 256),
    String(repeating: "a/", count: 3000) + "b", String(repeating: "a/", count: 200) + "b",
  ])
  func `An archive with an unsafe file name is refused`(name: String) {
    #expect(throws: ArchiveError.unsafeName(name)) { try Self.read(Self.entry(name) + Self.end) }
  }

  @Test(arguments: ["../", "/", "a/../", "//"]) func `An archive with an unsafe folder name is refused`(name: String) {
    #expect(throws: ArchiveError.unsafeName(name)) { try Self.read(Self.entry(name, .directory) + Self.end) }
  }

  @Test(arguments: [
    ("link", "file", false), ("link", "..data/file", false), ("a/link", "../file", false), ("a/b/link", "../..", false),
    ("link", "./a/b", false), ("link", ".", false), ("link", "...", false),
    ("link", "/etc/passwd", true), ("link", "..", true), ("link", "../x", true), ("a/link", "../../x", true),
    ("a/link", ".././../x", true), ("a/link", "b/../../..", true), ("link", "a/..", true), ("a/link", "x/..", true),
  ])
  func `A link that could lead out of the archive is reported as escaping, any other as an entry`(
    name: String, target: String, escapes: Bool
  ) throws {
    let events = try Self.read(Self.entry(name, .symbolicLink, link: target) + Self.end)
    let entry = ArchiveEntry(
      path: name.split(separator: "/").map { RawString(String($0)) },
      kind: .symbolicLink(target: RawString(target)), mode: 0o644, modified: 1_600_000_000)
    #expect(events == [escapes ? .escapingLink(entry) : .entry(entry)])
  }

  struct Hostile: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var limits = ArchiveReaderTests.limits
    var isExpected: @Sendable (ArchiveError) -> Bool
  }

  /// A header block with some bytes replaced, and the checksum made right again unless that is what is wrong.
  private static func block(_ name: String, size: Int = 0, _ changes: [(Int, [UInt8])]) -> [UInt8] {
    var block = TarHeader(name: Array(name.utf8), kind: .file, mode: 0o644, size: size, modified: 0).block
    for (offset, bytes) in changes { block.replaceSubrange(offset..<(offset + bytes.count), with: bytes) }
    block.replaceSubrange(148..<156, with: Array("        ".utf8))
    let digits = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
    let sum = String(repeating: "0", count: 6 - digits.count) + digits
    block.replaceSubrange(148..<156, with: Array(sum.utf8) + [0, 0x20])
    return block
  }

  private static func pax(_ records: [UInt8]) -> [UInt8] {
    TarHeader(name: Array("pax".utf8), kind: .extended, mode: 0, size: records.count, modified: 0).block + records
      + [UInt8](repeating: 0, count: TarHeader.padding(after: records.count))
  }

  private static let isMalformed: @Sendable (ArchiveError) -> Bool = {
    if case .malformed = $0 { true } else { false }
  }

  private static func isUnsupported(_ type: Character) -> @Sendable (ArchiveError) -> Bool {
    { $0 == .unsupportedEntry("x", type: type.asciiValue ?? 0) }
  }

  static let hostile: [Hostile] = [
    Hostile(testDescription: "no tar", bytes: [UInt8](repeating: 0x41, count: 512), isExpected: isMalformed),
    Hostile(
      testDescription: "checksum", bytes: entry("x").enumerated().map { $0.offset == 0 ? 0x79 : $0.element } + end,
      isExpected: isMalformed),
    Hostile(testDescription: "hard link", bytes: block("x", [(156, [0x31])]) + end, isExpected: isUnsupported("1")),
    Hostile(testDescription: "character device", bytes: block("x", [(156, [0x33])]), isExpected: isUnsupported("3")),
    Hostile(testDescription: "block device", bytes: block("x", [(156, [0x34])]), isExpected: isUnsupported("4")),
    Hostile(testDescription: "fifo", bytes: block("x", [(156, [0x36])]), isExpected: isUnsupported("6")),
    Hostile(testDescription: "GNU long name", bytes: block("x", [(156, [0x4c])]), isExpected: isUnsupported("L")),
    Hostile(testDescription: "global header", bytes: block("x", [(156, [0x67])]), isExpected: isUnsupported("g")),
    Hostile(testDescription: "root as a file", bytes: entry("."), isExpected: { $0 == .unsafeName(".") }),
    Hostile(
      testDescription: "a size in base 256", bytes: block("x", [(124, [0x80] + [UInt8](repeating: 0xff, count: 11))]),
      isExpected: isMalformed),
    Hostile(
      testDescription: "a negative size", bytes: block("x", [(124, Array("-0000000001".utf8))]),
      isExpected: isMalformed),
    Hostile(
      testDescription: "larger than allowed", bytes: entry("x", content: String(repeating: "x", count: 2000)),
      limits: ArchiveLimits(totalSize: 1999, entries: 10), isExpected: { $0 == .tooLarge(limit: 1999) }),
    Hostile(
      testDescription: "larger than allowed together",
      bytes: entry("x", content: "12345") + entry("y", content: "12345"),
      limits: ArchiveLimits(totalSize: 9, entries: 10), isExpected: { $0 == .tooLarge(limit: 9) }),
    Hostile(
      testDescription: "a size near the end of numbers",
      bytes: pax(PaxRecords.record("size", Array("\(Int.max)".utf8))) + entry("x"),
      isExpected: { $0 == .tooLarge(limit: 1 << 20) }),
    Hostile(
      testDescription: "too many", bytes: entry("x") + entry("y") + entry("z"),
      limits: ArchiveLimits(totalSize: 9, entries: 2), isExpected: { $0 == .tooManyEntries(limit: 2) }),
    Hostile(
      testDescription: "a long way up in an extended header",
      bytes: pax(PaxRecords.record("path", Array("../../x".utf8))) + entry("x"),
      isExpected: { $0 == .unsafeName("../../x") }),
    Hostile(
      testDescription: "NUL in a name", bytes: pax(PaxRecords.record("path", Array("a\0b".utf8))) + entry("x"),
      isExpected: { if case .unsafeName = $0 { true } else { false } }),
    Hostile(testDescription: "a record of no length", bytes: pax(Array("0 path=x\n".utf8)), isExpected: isMalformed),
    Hostile(testDescription: "a record too long", bytes: pax(Array("99 path=x\n".utf8)), isExpected: isMalformed),
    Hostile(testDescription: "a negative record", bytes: pax(Array("-9 path=x\n".utf8)), isExpected: isMalformed),
    Hostile(
      testDescription: "a record of no name", bytes: pax(Array("5 x=\n".utf8).dropLast() + [0x41]),
      isExpected: isMalformed),
    Hostile(
      testDescription: "a very large extended header",
      bytes: TarHeader(name: [0x70], kind: .extended, mode: 0, size: 1 << 30, modified: 0).block,
      isExpected: isMalformed),
    Hostile(
      testDescription: "two extended headers",
      bytes: pax(PaxRecords.record("path", [0x61])) + pax(PaxRecords.record("path", [0x62])),
      isExpected: isMalformed),
    Hostile(
      testDescription: "an extended header at the end", bytes: pax(PaxRecords.record("path", [0x61])) + end,
      isExpected: isMalformed),
    Hostile(testDescription: "something after the end", bytes: end + entry("x"), isExpected: isMalformed),
    Hostile(
      testDescription: "half an end", bytes: [UInt8](repeating: 0, count: 512) + entry("x"), isExpected: isMalformed),
    Hostile(testDescription: "no end", bytes: entry("x", content: "abc"), isExpected: { $0 == .truncated }),
    Hostile(
      testDescription: "cut in a file", bytes: Array(entry("x", content: "abc").prefix(514)),
      isExpected: { $0 == .truncated }),
    Hostile(testDescription: "cut in a header", bytes: Array(entry("x").prefix(100)), isExpected: { $0 == .truncated }),
    Hostile(testDescription: "nothing at all", bytes: [0], isExpected: { $0 == .truncated }),
  ]

  @Test(arguments: hostile.indices) func `A hostile or damaged archive is refused`(index: Int) {
    let archive = Self.hostile[index]
    for pieces in [1, 512, Int.max] {
      do {
        let events = try Self.read(archive.bytes, pieces: pieces, limits: archive.limits)
        Issue.record("\(archive) was read: \(events)")
      } catch let error as ArchiveError {
        #expect(archive.isExpected(error), "\(archive.testDescription): \(error)")
      } catch {
        Issue.record("\(archive) gave \(error)")
      }
    }
  }
}
