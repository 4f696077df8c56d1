/// The beginning of a connection to the probes' port. Pure.
struct ProbeRequest {
  /// What the bytes so far are.
  enum Outcome: Hashable {
    /// They are no whole request yet.
    case needsMore
    /// They are a request of HTTP/1 for a path, without its query.
    case http(path: String)
    /// They are the beginning of HTTP/2 (RFC 9113 section 3.4).
    case http2([UInt8])
    /// They are none of these, or too many.
    case invalid
  }

  /// The longest request, in bytes.
  private static let maximum = 2 << 10
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  private static let end = Array("\r\n\r\n".utf8)

  private var bytes: [UInt8] = []

  /// Takes the next bytes.
  mutating func receive(_ more: some Collection<UInt8>) -> Outcome {
    guard bytes.count + more.count <= Self.maximum else { return .invalid }
    // What was there already has no end, but for the beginning of one.
    let start = max(0, bytes.count - (Self.end.count - 1))
    bytes += more
    let first = bytes.prefix(Self.preface.count)
    if first.elementsEqual(Self.preface) { return .http2(bytes) }
    if first.elementsEqual(Self.preface.prefix(first.count)) { return .needsMore }
    return hasEnd(from: start) ? path.map(Outcome.http) ?? .invalid : .needsMore
  }

  private func hasEnd(from start: Int) -> Bool {
    (start..<bytes.count).contains { bytes[$0...].starts(with: Self.end) }
  }

  /// The path of the request line, `GET /ready HTTP/1.1`.
  private var path: String? {
    let words = bytes.prefix { $0 != UInt8(ascii: "\r") }.split(
      separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.count == 3, words[0].elementsEqual("GET".utf8) || words[0].elementsEqual("HEAD".utf8),
      words[2].starts(with: "HTTP/1.".utf8)
    else { return nil }
    return String(decoding: words[1].prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
  }
}
