// A strict reader: the archive comes from a container that may be hostile, and is unpacked with the user's own rights.
//
// Names: relative, no `..`, no empty parts, none longer than the kernel takes. Symbolic links are data: a volume is
// full of them (`..data`), but one that could lead out of the root is told as such and not to be made. "Could" is
// judged so that no chain of links helps: `..` may stand only at the beginning of a target, where it counts from a
// real folder, for everything before the link's own name is a real folder, and must not climb above the root.

internal import DevrunCore
public import NIOCore

/// What an archive's reader found next.
public enum ArchiveEvent: Sendable, Hashable {
  /// An entry begins. A file's content follows in `data` events up to `endOfFile`.
  case entry(ArchiveEntry)
  /// A symbolic link that could lead out of the root. It must not be made.
  case escapingLink(ArchiveEntry)
  /// More of the current file's content.
  case data(ByteBuffer)
  /// The current file is complete.
  case endOfFile
}

/// Reads an archive that comes in pieces of any size. Pure: it touches no file.
public struct ArchiveReader: Sendable {
  private enum State: Sendable {
    case header
    case extendedHeader(size: Int)
    case content(remaining: Int, padding: Int)
    case padding(Int)
    case endBlock
    case end
  }

  private let limits: ArchiveLimits
  private var state = State.header
  private var input = ByteBuffer()
  private var extended: PaxRecords?
  private var entries = 0
  private var totalSize = 0

  /// A reader at an archive's start.
  public init(limits: ArchiveLimits) { self.limits = limits }

  /// Takes more of the archive. Call `next()` until it returns `nil` before the next `feed`.
  public mutating func feed(_ bytes: ByteBuffer) {
    var bytes = bytes
    if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
  }

  /// What comes next; `nil` where more has to be fed first.
  ///
  /// - Throws: an `ArchiveError`; nothing may be read after it.
  public mutating func next() throws(ArchiveError) -> ArchiveEvent? {
    while true {
      switch state {
      case .header:
        guard let block = input.readBytes(length: TarHeader.blockSize) else { return nil }
        if block.allSatisfy({ $0 == 0 }) {
          guard extended == nil else { throw .malformed("an extended header has no entry") }
          state = .endBlock
        } else if let event = try header(TarHeader(block: block)) {
          return event
        }
      case .extendedHeader(let size):
        guard input.readableBytes >= size + TarHeader.padding(after: size), let bytes = input.readBytes(length: size)
        else { return nil }
        input.moveReaderIndex(forwardBy: TarHeader.padding(after: size))
        extended = try PaxRecords(bytes)
        state = .header
      case .content(let remaining, let padding) where remaining > 0:
        let count = min(remaining, input.readableBytes)
        guard count > 0, let bytes = input.readSlice(length: count) else { return nil }
        state = .content(remaining: remaining - count, padding: padding)
        return .data(bytes)
      case .content(_, let padding):
        state = .padding(padding)
        return .endOfFile
      case .padding(let count):
        let skipped = min(count, input.readableBytes)
        input.moveReaderIndex(forwardBy: skipped)
        guard skipped == count else {
          state = .padding(count - skipped)
          return nil
        }
        state = .header
      case .endBlock:
        guard let block = input.readBytes(length: TarHeader.blockSize) else { return nil }
        guard block.allSatisfy({ $0 == 0 }) else { throw .malformed("a single block of zeros stands in the middle") }
        state = .end
      case .end:
        guard input.readableBytesView.allSatisfy({ $0 == 0 }) else { throw .malformed("something follows the end") }
        input.clear()
        return nil
      }
    }
  }

  /// Says that the archive's bytes are over.
  ///
  /// - Throws: `ArchiveError.truncated` unless its end has been read.
  public func finish() throws(ArchiveError) {
    guard case .end = state else { throw .truncated }
  }

  /// Takes a header: an event for an entry, `nil` for an extended header.
  private mutating func header(_ header: TarHeader) throws(ArchiveError) -> ArchiveEvent? {
    if header.kind == TarHeader.Kind.extended.rawValue {
      guard extended == nil else { throw .malformed("two extended headers stand before one entry") }
      guard header.size <= ArchiveLimits.extendedHeader else { throw .malformed("an extended header is too large") }
      state = .extendedHeader(size: header.size)
      return nil
    }
    let name = extended?.path ?? header.name
    let link = extended?.linkPath ?? header.linkName
    let size = extended?.size ?? header.size
    extended = nil
    entries += 1
    guard entries <= limits.entries else { throw .tooManyEntries(limit: limits.entries) }
    let path = try Self.components(of: name, isDirectory: header.kind == TarHeader.Kind.directory.rawValue)
    switch TarHeader.Kind(rawValue: header.kind) {
    case .file where !path.isEmpty:
      guard size <= limits.totalSize - totalSize else { throw .tooLarge(limit: limits.totalSize) }
      totalSize += size
      state = .content(remaining: size, padding: TarHeader.padding(after: size))
      return .entry(entry(path, .file(size: size), header))
    case .directory where size == 0:
      return .entry(entry(path, .directory, header))
    case .symbolicLink where size == 0 && !path.isEmpty:
      guard !link.isEmpty, link.count < ArchiveLimits.pathLength, !link.contains(0) else {
        throw .malformed("a link has no target or one that is too long")
      }
      let entry = entry(path, .symbolicLink(target: RawString(link)), header)
      return Self.escapes(link, depth: path.count - 1) ? .escapingLink(entry) : .entry(entry)
    default:
      throw .unsupportedEntry(String(decoding: name, as: UTF8.self), type: header.kind)
    }
  }

  private func entry(_ path: [RawString], _ kind: ArchiveEntry.Kind, _ header: TarHeader) -> ArchiveEntry {
    ArchiveEntry(path: path, kind: kind, mode: header.mode, modified: header.modified)
  }

  /// The names on a path. `./` is the root.
  private static func components(of name: [UInt8], isDirectory: Bool) throws(ArchiveError) -> [RawString] {
    let text = String(decoding: name, as: UTF8.self)
    var parts = name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    if isDirectory, parts.count > 1, parts[parts.count - 1].isEmpty { parts.removeLast() }
    if isDirectory, parts.count == 1, parts[0].elementsEqual([UInt8(ascii: ".")]) { return [] }
    guard name.count < ArchiveLimits.pathLength, parts.count <= ArchiveLimits.depth else { throw .unsafeName(text) }
    for part in parts {
      let isSpecial = part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8)
      guard !part.isEmpty, part.count <= 255, !isSpecial, !part.contains(0) else { throw .unsafeName(text) }
    }
    return parts.map { RawString($0) }
  }

  /// Whether a link in a folder so deep below the root could lead out of it.
  static func escapes(_ target: [UInt8], depth: Int) -> Bool {
    guard target.first != UInt8(ascii: "/") else { return true }
    var climbed = 0
    var named = false
    for part in target.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
      if part.elementsEqual("..".utf8) {
        guard !named, climbed < depth else { return true }
        climbed += 1
      } else {
        named = true
      }
    }
    return false
  }
}
