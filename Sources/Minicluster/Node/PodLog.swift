// A container's log: a file of entries as container runtimes write them
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md):
//
//     2026-11-26T15:48:02.950753212Z stdout F a line
//
// `P` instead of `F` marks a piece without a line's end. Readers follow the file by its growth, which the writer reports.

internal import DevrunCore
internal import DevrunSystem
internal import Glibc
internal import NIOCore
internal import Synchronization

/// The log of one run of a container.
final class PodLog: Sendable {
  /// The longest piece of a line that is one entry.
  static let longestPiece = 16384

  private struct State {
    var pending: [UInt8] = []
    var size = 0
    var isOver = false
    var failure: Errno?
  }

  private let path: RawString
  private let file: Descriptor
  private let state = Mutex(State())
  private let growth = Pulse()

  /// Makes an empty log.
  ///
  /// - Throws: the error of open(2).
  init(path: String) throws(Errno) {
    self.path = RawString(path)
    file = try Descriptor.open(self.path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, mode: 0o600)
  }

  /// Writes what a container has put out. A line is written once it is whole.
  func write(_ output: ByteBuffer) {
    append(output.readableBytesView, isLast: false)
  }

  /// Writes what is left of the last line, and ends all readers.
  func finish() {
    append([], isLast: true)
  }

  private func append(_ bytes: some Collection<UInt8>, isLast: Bool) {
    let time = WallTime.now.preciseText
    state.withLock { state in
      guard !state.isOver else { return }
      state.pending += bytes
      let entries = Self.entries(of: &state.pending, time: time, isLast: isLast)
      do throws(Errno) {
        try file.writeAll(entries)
        state.size += entries.count
      } catch {
        // The log ends here for its readers; the container goes on.
        state.failure = error
        state.isOver = true
      }
      if isLast { state.isOver = true }
    }
    growth.send()
  }

  /// Takes the entries that are whole out of what has come.
  static func entries(of pending: inout [UInt8], time: String, isLast: Bool) -> [UInt8] {
    var entries: [UInt8] = []
    var rest = pending[...]
    while true {
      if let end = rest.firstIndex(of: UInt8(ascii: "\n")), end - rest.startIndex <= longestPiece {
        entries += entry(rest[..<end], time, isWhole: true)
        rest = rest[(end + 1)...]
      } else if rest.count >= longestPiece {
        entries += entry(rest.prefix(longestPiece), time, isWhole: false)
        rest = rest.dropFirst(longestPiece)
      } else {
        break
      }
    }
    if isLast, !rest.isEmpty {
      entries += entry(rest, time, isWhole: false)
      rest = []
    }
    pending = Array(rest)
    return entries
  }

  private static func entry(_ piece: ArraySlice<UInt8>, _ time: String, isWhole: Bool) -> [UInt8] {
    Array("\(time) stdout \(isWhole ? "F" : "P") ".utf8) + piece + [UInt8(ascii: "\n")]
  }

  /// How far the log has grown, and whether it grows no more.
  fileprivate var extent: (size: Int, isOver: Bool) { state.withLock { ($0.size, $0.isOver) } }

  /// Reads the log. It ends with the present end of the log, or, if it is to be followed, with the container.
  func stream(_ options: LogOptions) -> AsyncStream<ByteBuffer> {
    let reader = Reader(of: self, options)
    return AsyncStream { await reader.next() }
  }

  /// The last words of a container that has left no message: the log's end, at most 80 lines or 2 kB.
  func lastWords() -> String {
    var options = LogOptions()
    options.tailLines = 80
    guard let entries = try? LogEntries(of: read(from: 0)) else { return "" }
    let bytes = entries.last(80).flatMap { $0.bytes(withTime: false) }
    return String(decoding: bytes.suffix(2048), as: UTF8.self)
  }

  fileprivate func read(from offset: Int) throws(Errno) -> [UInt8] {
    let file = try Descriptor.open(path, O_RDONLY)
    try system { lseek(file.number, offset, SEEK_SET) }
    return try file.readToEnd()
  }

  /// Reads a log from its beginning or its tail, entry by entry.
  private actor Reader {
    private let log: PodLog
    private let options: LogOptions
    private var offset = 0
    private var hasBegun = false
    private var left: Int?

    init(of log: PodLog, _ options: LogOptions) {
      self.log = log
      self.options = options
      left = options.limitBytes
    }

    /// The next part; `nil` at the end.
    func next() async -> ByteBuffer? {
      while left != 0, !Task.isCancelled {
        let seen = log.growth.count
        let extent = log.extent
        if extent.size > offset {
          guard let part = part() else { return nil }
          if part.readableBytes > 0 { return part }
          continue
        }
        hasBegun = true
        guard options.follow, !extent.isOver else { return nil }
        await log.growth.next(after: seen)
      }
      return nil
    }

    private func part() -> ByteBuffer? {
      // A log that cannot be read has been removed with its pod.
      guard let bytes = try? log.read(from: offset), !bytes.isEmpty else { return nil }
      let entries = LogEntries(of: bytes)
      offset += entries.count
      var chosen = entries.all
      if !hasBegun, let lines = options.tailLines { chosen = entries.last(lines) }
      hasBegun = true
      var part = ByteBuffer()
      for entry in chosen { part.writeBytes(entry.bytes(withTime: options.timestamps)) }
      if let limit = left {
        part = part.getSlice(at: part.readerIndex, length: min(limit, part.readableBytes)) ?? part
        left = limit - part.readableBytes
      }
      return part
    }
  }
}

/// The whole entries at the beginning of a part of a log.
struct LogEntries: Sendable {
  /// One entry.
  struct Entry: Sendable, Hashable {
    /// The time, as it is written.
    var time: [UInt8]
    /// Whether a line ends with it.
    var isWhole: Bool
    /// The text.
    var text: [UInt8]

    /// The entry as a reader gets it.
    func bytes(withTime: Bool) -> [UInt8] {
      (withTime ? time + [UInt8(ascii: " ")] : []) + text + (isWhole ? [UInt8(ascii: "\n")] : [])
    }
  }

  /// The entries.
  private(set) var all: [Entry] = []
  /// How many bytes they are.
  private(set) var count = 0

  /// Reads entries; a last one that is not whole is left.
  init(of bytes: [UInt8]) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let parts = rest[..<end].split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
      if parts.count == 4 {
        all.append(
          Entry(time: Array(parts[0]), isWhole: parts[2].first == UInt8(ascii: "F"), text: Array(parts[3])))
      }
      rest = rest[(end + 1)...]
    }
    count = bytes.count - rest.count
  }

  /// The entries of the last lines.
  func last(_ lines: Int) -> [Entry] {
    var (start, seen) = (all.endIndex, 0)
    while start > all.startIndex {
      let isEnd = all[start - 1].isWhole || start == all.endIndex
      if isEnd {
        if seen == lines { break }
        seen += 1
      }
      start -= 1
    }
    return Array(all[start...])
  }
}
