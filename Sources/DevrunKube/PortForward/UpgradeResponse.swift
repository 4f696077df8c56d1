import NIOCore
import NIOHTTP1

/// What a server answers to the request to become a WebSocket: an HTTP/1.1 response, read byte by byte as it arrives.
///
/// NIO's own decoder leaves the pipeline a turn of the event loop later. If the connection has ended by then, it drops
/// what follows the head: often the very text that explains the refusal.
struct UpgradeResponse {
  /// What the bytes until now come to.
  enum Reading: Equatable {
    /// More must come.
    case incomplete
    /// The server consents; `rest` is the beginning of what it sends in the new protocol.
    case switched(headers: HTTPHeaders, rest: ByteBuffer)
    /// The server answers with another status, and this body.
    case refused(status: Int, body: [UInt8])
    /// This is no HTTP.
    case invalid
  }

  private static let maximumHeadSize = 65536
  private static let maximumBodySize = 65536

  private var received = ByteBuffer()
  private var head: (status: Int, headers: HTTPHeaders)?

  /// Takes the next bytes, or the connection's end (`nil`), which ends a body of unknown length.
  mutating func receive(_ bytes: ByteBuffer?) -> Reading {
    if var bytes { received.writeBuffer(&bytes) }
    if head == nil {
      guard let end = received.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else {
        return received.readableBytes > Self.maximumHeadSize || bytes == nil ? .invalid : .incomplete
      }
      let text = String(decoding: received.readableBytesView[..<end.lowerBound], as: UTF8.self)
      received.moveReaderIndex(to: end.upperBound)
      guard let head = Self.parse(text) else { return .invalid }
      self.head = head
    }
    guard let (status, headers) = head else { return .invalid }
    if status == 101 {
      defer { received.clear() }
      return .switched(headers: headers, rest: received)
    }
    let isEnough = bytes == nil || received.readableBytes >= Self.maximumBodySize
    guard let body = body(headers, isAtEnd: isEnough) else { return .incomplete }
    return .refused(status: status, body: Array(body.prefix(Self.maximumBodySize)))
  }

  private static func parse(_ text: String) -> (status: Int, headers: HTTPHeaders)? {
    // A line's end is one character in Swift, "\r\n".
    var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
    guard let fields = lines.popFirst()?.split(separator: " ", maxSplits: 2), fields.count >= 2,
      fields[0].hasPrefix("HTTP/1."), let status = Int(fields[1])
    else { return nil }
    var headers = HTTPHeaders()
    for line in lines {
      guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else { return nil }
      let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      headers.add(name: String(line[..<colon]), value: String(value))
    }
    return (status, headers)
  }

  /// The body (RFC 9112 section 6.3), once it is whole or nothing more is to be expected.
  private func body(_ headers: HTTPHeaders, isAtEnd: Bool) -> ByteBufferView? {
    let bytes = received.readableBytesView
    if headers[canonicalForm: "transfer-encoding"].contains(where: { $0.lowercased() == "chunked" }) {
      let (body, isWhole) = Self.unchunked(received)
      return isWhole || isAtEnd ? body.readableBytesView : nil
    }
    if let length = headers.first(name: "content-length").flatMap({ Int($0) }), length >= 0 {
      return bytes.count >= length || isAtEnd ? bytes.prefix(length) : nil
    }
    return isAtEnd ? bytes : nil
  }

  /// What a chunked body (RFC 9112 section 7.1) has brought until now, and whether that is all.
  private static func unchunked(_ buffer: ByteBuffer) -> (body: ByteBuffer, isWhole: Bool) {
    var buffer = buffer
    var body = ByteBuffer()
    while let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
      let line = String(decoding: buffer.readableBytesView[..<end], as: UTF8.self)
      buffer.moveReaderIndex(to: end + 1)
      guard let size = Int(line.prefix { $0.isHexDigit }, radix: 16) else { break }
      if size == 0 { return (body, true) }
      guard var chunk = buffer.readSlice(length: min(size, buffer.readableBytes)) else { break }
      body.writeBuffer(&chunk)
      guard buffer.readableBytes >= 2 else { break }
      buffer.moveReaderIndex(forwardBy: 2)
    }
    return (body, false)
  }
}
