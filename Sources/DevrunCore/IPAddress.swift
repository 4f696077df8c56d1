/// An IPv4 or IPv6 address as its bytes in network order: 4 or 16 of them.
public struct IPAddress: Sendable, Hashable {
  /// 4 or 16 bytes, in network order.
  public let bytes: [UInt8]

  /// An address of the given bytes; `nil` unless there are 4 or 16. An IPv4-mapped IPv6 address
  /// (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2) becomes the IPv4 address that it stands for.
  public init?(bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    switch bytes.count {
    case 4: self.bytes = bytes
    case 16 where bytes.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]):
      self.bytes = Array(bytes.suffix(4))
    case 16: self.bytes = bytes
    default: return nil
    }
  }

  /// The IPv4 address a.b.c.d.
  public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) { bytes = [a, b, c, d] }

  /// Whether this is an IPv4 address.
  public var isIPv4: Bool { bytes.count == 4 }

  /// Whether this is `127.0.0.0/8` or `::1`.
  public var isLoopback: Bool {
    isIPv4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
  }
}

extension IPAddress: LosslessStringConvertible, Codable {
  /// Reads the dotted form of IPv4 or a textual form of IPv6 (RFC 4291 section 2.2, without a zone).
  public init?(_ text: String) {
    if text.contains(":") {
      guard let groups = Self.groups(of: text) else { return nil }
      self.init(bytes: groups.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] })
    } else {
      let parts = text.split(separator: ".", omittingEmptySubsequences: false)
      let octets = parts.compactMap { $0.count <= 3 && $0.allSatisfy(\.isNumber) ? UInt8($0) : nil }
      guard parts.count == 4, octets.count == 4 else { return nil }
      self.init(bytes: octets)
    }
  }

  /// The dotted form of IPv4, the canonical form of IPv6 (RFC 5952).
  public var description: String {
    if isIPv4 { return bytes.map(String.init).joined(separator: ".") }
    let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
    var best = 0..<0
    var start = 0
    while start < 8 {
      guard groups[start] == 0 else {
        start += 1
        continue
      }
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > max(best.count, 1) { best = start..<end }
      start = end
    }
    func text(_ range: Range<Int>) -> String {
      groups[range].map { String($0, radix: 16) }.joined(separator: ":")
    }
    return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
  }

  /// Reads the textual form.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let address = IPAddress(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no IP address")
    }
    self = address
  }

  /// Writes the textual form.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  /// The eight 16-bit groups of an IPv6 text.
  private static func groups(of text: String) -> [UInt16]? {
    func read(_ part: Substring) -> [UInt16]? {
      if part.isEmpty { return [] }
      var groups: [UInt16] = []
      let fields = part.split(separator: ":", omittingEmptySubsequences: false)
      for (index, field) in fields.enumerated() {
        if index == fields.count - 1, field.contains(".") {
          guard let mapped = IPAddress(String(field)), mapped.isIPv4 else { return nil }
          groups.append(UInt16(mapped.bytes[0]) << 8 | UInt16(mapped.bytes[1]))
          groups.append(UInt16(mapped.bytes[2]) << 8 | UInt16(mapped.bytes[3]))
        } else {
          guard (1...4).contains(field.count), let group = UInt16(field, radix: 16) else { return nil }
          groups.append(group)
        }
      }
      return groups
    }
    // Not by `firstRange(of:)`, which links the library of regular expressions: a megabyte more in the agent.
    guard let gap = zip(text.indices, text.indices.dropFirst()).first(where: { text[$0] == ":" && text[$1] == ":" })
    else {
      guard let groups = read(text[...]), groups.count == 8 else { return nil }
      return groups
    }
    guard let head = read(text[..<gap.0]), let tail = read(text[gap.1...].dropFirst()),
      head.count + tail.count < 8
    else { return nil }
    return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
  }
}
