import AsyncHTTPClient
import DevrunCore
import NIOCore
import NIOHTTP1

extension KubeClient {
  /// Reads what a container writes (`pods/log`), as it comes, until the container ends or the connection does.
  ///
  /// A quiet container's stream ends by the client's own timeout of a watch; whoever wants more asks again, with the
  /// time of the last line: lines of that very second come once more, since the API takes whole seconds.
  ///
  /// Throws `KubeError` where the log cannot be had: there is no right (`get` on `pods/log`), or the container has not
  /// started yet (400); `CancellationError` where the task is cancelled.
  ///
  /// - Parameter time: from which time on (RFC 3339); `nil` for the whole log that the node keeps.
  public func followLog(namespace: String, pod: String, container: String, since time: String? = nil) async throws
    -> LogLines
  {
    let path = ResourcePath.pods(in: namespace).named(pod).subresource("log")
    var query = [("container", container), ("follow", "true"), ("timestamps", "true")]
    if let time { query.append(("sinceTime", time)) }
    var request = APIRequest(.GET, "read the log of", path, query: query.map { (name: $0.0, value: $0.1) })
    // The log is plain text; a failure is told as JSON.
    request.otherTypes = true
    return LogLines(client: self, body: try await open(request).body)
  }
}

/// A line of a container's log.
public struct LogLine: Sendable, Hashable {
  /// When it was written, as the node says (RFC 3339, nanoseconds).
  public var time: String
  /// The line, with what is not UTF-8 replaced.
  public var text: String

  /// A line of the given parts.
  public init(time: String, text: String) {
    self.time = time
    self.text = text
  }

  /// Reads a line of a log that was asked for with time stamps.
  init(_ bytes: [UInt8]) {
    let parts = bytes.split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
    time = String(decoding: parts[0], as: UTF8.self)
    text = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""
  }
}

/// The lines of a log, for one iteration. It throws `KubeError` when the connection breaks.
public struct LogLines: AsyncSequence, Sendable {
  /// What is told.
  public typealias Element = LogLine

  let client: KubeClient
  let body: HTTPClientResponse.Body

  /// The lines from the first on.
  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(client: client, body: body.makeAsyncIterator())
  }

  /// A log that is being read.
  public struct AsyncIterator: AsyncIteratorProtocol {
    /// The node cuts lines of 16 KiB; this is what is held of one without an end.
    private static let maximumLineSize = 1 << 20

    let client: KubeClient
    var body: HTTPClientResponse.Body.AsyncIterator
    private var framer = LineFramer()

    init(client: KubeClient, body: HTTPClientResponse.Body.AsyncIterator) {
      self.client = client
      self.body = body
    }

    /// The next line; `nil` at the log's end.
    public mutating func next() async throws -> LogLine? {
      do {
        while true {
          if let line = framer.next() { return LogLine(line) }
          guard framer.pendingCount <= Self.maximumLineSize, let chunk = try await body.next() else { return nil }
          framer.append(chunk)
        }
      } catch {
        try Task.checkCancellation()
        throw KubeError.transport(client.describe(error), server: client.server)
      }
    }
  }
}
