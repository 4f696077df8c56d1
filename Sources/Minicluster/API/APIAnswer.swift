internal import DevrunCore
internal import DevrunKube
internal import NIOCore
internal import NIOHTTP1

/// What a request is answered by.
enum APIAnswer: Sendable {
  /// A JSON document.
  case json(JSONValue, status: Int = 200)
  /// Bytes of another type.
  case bytes([UInt8], type: String, status: Int = 200)
  /// A body that comes by and by: the closure writes it, and ends with it.
  case stream(type: String, @Sendable (@escaping Writer) async throws -> Void)

  /// Writes a part of a body. It waits while the client does not read.
  typealias Writer = @Sendable (ByteBuffer) async throws -> Void

  /// The answer to a request that is refused.
  static func failure(_ failure: APIFailure) -> APIAnswer { .json(failure.json, status: failure.status.code) }

  /// A short text.
  static func text(_ text: String) -> APIAnswer { .bytes(Array(text.utf8), type: "text/plain; charset=utf-8") }
}
