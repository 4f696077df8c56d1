// Archives are POSIX tar: ustar headers, and pax extended headers for what does not fit in them (POSIX.1-2017, pax,
// "ustar Interchange Format" and "pax Header Block"). A block has 512 bytes; an entry is its header, its content and
// zeros up to the next block; two blocks of zeros are the end.

internal import DevrunCore

/// One header block, as it stands in the archive.
package struct TarHeader: Sendable, Hashable {
  package static let blockSize = 512
  /// The largest number that an octal field of 12 bytes holds.
  static let maximumOctalSize = 0o777_7777_7777

  /// The kinds that devrun writes and reads.
  package enum Kind: UInt8, Sendable, CaseIterable {
    case file = 0x30
    case symbolicLink = 0x32
    case directory = 0x35
    case extended = 0x78
  }

  private enum Field {
    static let name = 0..<100
    static let mode = 100..<108
    static let user = 108..<116
    static let group = 116..<124
    static let size = 124..<136
    static let modified = 136..<148
    static let checksum = 148..<156
    static let kind = 156
    static let linkName = 157..<257
    static let magic = 257..<265
    static let prefix = 345..<500
  }

  private static let magic = Array("ustar".utf8) + [0] + Array("00".utf8)

  var name: [UInt8]
  var kind: UInt8
  var mode: UInt16
  var size: Int
  var modified: Int64
  var linkName: [UInt8] = []

  /// Whether name, link and size fit into the block.
  var fits: Bool {
    name.count <= Field.name.count && linkName.count <= Field.linkName.count && size <= Self.maximumOctalSize
  }

  /// The block. What does not fit is cut: an extended header goes before it then.
  var block: [UInt8] {
    var block = [UInt8](repeating: 0, count: Self.blockSize)
    func put(_ bytes: some Collection<UInt8>, in field: Range<Int>) {
      block.replaceSubrange(field.prefix(bytes.count), with: bytes.prefix(field.count))
    }
    func put(octal number: Int, in field: Range<Int>) {
      let digits = String(number, radix: 8)
      put((String(repeating: "0", count: max(0, field.count - 1 - digits.count)) + digits).utf8, in: field)
    }
    put(name, in: Field.name)
    put(octal: Int(mode & 0o7777), in: Field.mode)
    put(octal: 0, in: Field.user)
    put(octal: 0, in: Field.group)
    put(octal: min(size, Self.maximumOctalSize), in: Field.size)
    put(octal: Int(min(max(modified, 0), Int64(Self.maximumOctalSize))), in: Field.modified)
    block[Field.kind] = kind
    put(linkName, in: Field.linkName)
    put(Self.magic, in: Field.magic)
    put(octal: Self.checksum(of: block), in: Field.checksum.lowerBound..<(Field.checksum.upperBound - 1))
    block[Field.checksum.upperBound - 1] = UInt8(ascii: " ")
    return block
  }

  /// The sum of all bytes, the checksum's own taken as spaces.
  private static func checksum(of block: [UInt8]) -> Int {
    block.enumerated().reduce(0) { $0 + Int(Field.checksum.contains($1.offset) ? 0x20 : $1.element) }
  }

  /// Reads a block that is not all zeros.
  init(block: [UInt8]) throws(ArchiveError) {
    func text(_ field: Range<Int>) -> [UInt8] { Array(block[field].prefix { $0 != 0 }) }
    func octal(_ field: Range<Int>, _ what: String) throws(ArchiveError) -> Int {
      let digits = block[field].prefix { $0 != 0 && $0 != 0x20 }
      guard let text = String(validating: digits, as: UTF8.self), let number = Int(text, radix: 8), number >= 0
      else { throw .malformed("a header's \(what) is no octal number") }
      return number
    }
    guard block.count == Self.blockSize, Array(block[Field.magic]) == Self.magic else {
      throw .malformed("a header does not say ustar")
    }
    guard try octal(Field.checksum, "checksum") == Self.checksum(of: block) else {
      throw .malformed("a header's checksum is wrong")
    }
    let prefix = text(Field.prefix)
    name = prefix.isEmpty ? text(Field.name) : prefix + [UInt8(ascii: "/")] + text(Field.name)
    kind = block[Field.kind]
    mode = UInt16(truncatingIfNeeded: try octal(Field.mode, "mode") & 0o777)
    size = try octal(Field.size, "size")
    modified = Int64(try octal(Field.modified, "time"))
    linkName = text(Field.linkName)
  }

  package init(name: [UInt8], kind: Kind, mode: UInt16, size: Int, modified: Int64, linkName: [UInt8] = []) {
    self.name = name
    self.kind = kind.rawValue
    self.mode = mode
    self.size = size
    self.modified = modified
    self.linkName = linkName
  }

  /// The zeros that follow content of so many bytes.
  package static func padding(after size: Int) -> Int { (blockSize - size % blockSize) % blockSize }
}

/// The records of a pax extended header: `length name=value\n`, the length counting itself.
struct PaxRecords: Sendable, Hashable {
  var path: [UInt8]?
  var linkPath: [UInt8]?
  var size: Int?

  /// Reads the records; names that devrun does not write are skipped, as the format asks.
  init(_ bytes: [UInt8]) throws(ArchiveError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let space = rest.prefix(20).firstIndex(of: UInt8(ascii: " ")),
        let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
        length > space - rest.startIndex + 2, length <= rest.count,
        rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
      else { throw .malformed("an extended header's record has a wrong length") }
      let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
      rest = rest.dropFirst(length)
      guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
        throw .malformed("an extended header's record has no name")
      }
      let value = Array(record[(equals + 1)...])
      switch String(decoding: record[..<equals], as: UTF8.self) {
      case "path": path = value
      case "linkpath": linkPath = value
      case "size":
        guard let number = Int(String(decoding: value, as: UTF8.self)), number >= 0 else {
          throw .malformed("an extended header's size is no number")
        }
        size = number
      default: break
      }
    }
  }

  /// One record's bytes.
  static func record(_ name: String, _ value: [UInt8]) -> [UInt8] {
    let tail = [UInt8(ascii: " ")] + Array(name.utf8) + [UInt8(ascii: "=")] + value + [UInt8(ascii: "\n")]
    var length = tail.count + 1
    while String(length).utf8.count + tail.count != length { length = String(length).utf8.count + tail.count }
    return Array(String(length).utf8) + tail
  }
}

extension TarHeader {
  /// The header's blocks, with an extended header before it where it does not fit.
  package var blocks: [UInt8] {
    guard !fits else { return block }
    var records: [UInt8] = []
    if name.count > Field.name.count { records += PaxRecords.record("path", name) }
    if linkName.count > Field.linkName.count { records += PaxRecords.record("linkpath", linkName) }
    if size > Self.maximumOctalSize { records += PaxRecords.record("size", Array(String(size).utf8)) }
    let header = TarHeader(
      name: Array("pax".utf8), kind: .extended, mode: 0o600, size: records.count, modified: modified)
    return header.block + records + [UInt8](repeating: 0, count: Self.padding(after: records.count)) + block
  }
}
