import AsyncHTTPClient
import DevrunCore
import NIOCore
import NIOHTTP1

/// A request to the API, apart from who asks.
struct APIRequest: Sendable {
  /// The HTTP method.
  var method: HTTPMethod = .GET
  /// The path under the server's URL, percent-encoded.
  var path: String
  /// The query's names and values, not encoded.
  var query: [(name: String, value: String)] = []
  /// What kind of text the body is.
  var contentType = "application/json"
  /// The body.
  var body: JSONValue?
  /// Whether an answer of another type than JSON is taken.
  var otherTypes = false
  /// Whether an answer in Kubernetes' protobuf encoding is preferred.
  var prefersProtobuf = false
  /// The kind of an answer that has metadata alone; `nil` for whole objects.
  var metadata: Metadata?
  /// The request in words, for errors: `get pods/x in namespace y`.
  var words: String

  /// The kinds of answers that have less than whole objects (`meta.k8s.io/v1`).
  enum Metadata: String, Sendable {
    case object = "PartialObjectMetadata"
    case list = "PartialObjectMetadataList"
    /// The columns that kubectl prints.
    case table = "Table"
  }

  /// The path with the query.
  var pathAndQuery: String {
    guard !query.isEmpty else { return path }
    let fields = query.map { field in
      "\(PercentEncoding.encode(field.name.utf8))=\(PercentEncoding.encode(field.value.utf8))"
    }
    return path + "?" + fields.joined(separator: "&")
  }

  /// The types of answers that are taken, the best first.
  var accept: String {
    if otherTypes { return "application/json, */*" }
    if prefersProtobuf { return "\(KubernetesProtobuf.contentType), application/json" }
    return metadata.map { "application/json;as=\($0.rawValue);g=meta.k8s.io;v=v1, application/json" }
      ?? "application/json"
  }

  /// A request about a resource.
  init(
    _ method: HTTPMethod, _ verb: String, _ path: ResourcePath, query: [(name: String, value: String)] = [],
    body: JSONValue? = nil
  ) {
    self.method = method
    self.path = path.urlPath
    self.query = query
    self.body = body
    words = "\(verb) \(path.display)" + (path.namespace.map { " in namespace \($0)" } ?? "")
  }
}

extension KubeClient {
  /// Sends a request, again where that is right, and gives the answer's JSON, whatever its encoding is.
  ///
  /// Throws `KubeError`, or `CancellationError` where the task is cancelled.
  func send(_ request: APIRequest) async throws -> JSONValue {
    let body = try await collected(request)
    do {
      if let json = try KubernetesProtobuf.json(of: body) { return json }
    } catch {
      throw KubeError.unexpectedResponse(request: request.words, server: server, problem: error.words)
    }
    do {
      return try JSONValue(text: body)
    } catch {
      throw KubeError.unexpectedResponse(
        request: request.words, server: server,
        problem: body.first == UInt8(ascii: "<") ? APIStatus.shortened(body) : error.message.what)
    }
  }

  private func collected(_ request: APIRequest) async throws -> [UInt8] {
    let body = request.body?.text
    return try await attempt(request) { [self] credential in
      try await withTimeout(options.requestTimeout + Self.uploadTime(body)) { [self] in
        let response = try await execute(request, body: body, credential: credential, isWatch: false)
        return (response, try await Self.bytes(of: response))
      }
    } body: {
      $0.1
    } response: {
      $0.0
    }.1
  }

  /// Opens a watch: gives the response when it has been accepted; its body is the stream of events.
  func open(_ request: APIRequest) async throws -> HTTPClientResponse {
    try await attempt(request) { [self] credential in
      try await withTimeout(options.requestTimeout) { [self] in
        let response = try await execute(request, body: nil, credential: credential, isWatch: true)
        return (response, response.status.code < 300 ? [] : try await Self.bytes(of: response))
      }
    } body: {
      $0.1
    } response: {
      $0.0
    }.0
  }

  /// The cycle of sending. Refused credentials are renewed once, and `RetryPolicy` decides what is sent again.
  private func attempt<Answer: Sendable>(
    _ request: APIRequest, _ send: (RequestCredential) async throws -> Answer, body: (Answer) -> [UInt8],
    response: (Answer) -> HTTPClientResponse
  ) async throws -> Answer {
    var attempt = 1
    var hasRenewed = false
    while true {
      let outcome: RetryPolicy.Outcome
      let error: KubeError
      do {
        let credential = try await credential()
        let answer = try await send(credential)
        let head = response(answer)
        if head.status.code < 300 { return answer }
        if head.status == .unauthorized, !hasRenewed, await credentials.refused(credential) {
          hasRenewed = true
          continue
        }
        let retryAfter = head.headers.first(name: "Retry-After").flatMap { Int($0) }
        outcome = .status(Int(head.status.code), retryAfter: retryAfter)
        error = failure(
          status: Int(head.status.code), body: body(answer), retryAfter: retryAfter, words: request.words)
      } catch let failure as KubeError {
        throw failure
      } catch let other {
        try Task.checkCancellation()
        let failure = describe(other)
        outcome = .transport(failure)
        error = .transport(failure, server: server)
      }
      guard
        let delay = options.retries.delay(
          method: request.method, attempt: attempt, outcome: outcome, jitter: .random(in: 0...1))
      else { throw error }
      attempt += 1
      try await Task.sleep(for: delay)
    }
  }

  /// The credentials for the next request. Throws `KubeError.credentials`.
  func credential() async throws -> RequestCredential {
    do {
      return try await credentials.credential()
    } catch let error as CredentialError {
      throw KubeError.credentials(error, context: contextName)
    }
  }

  /// The error that a response's status and body tell of.
  func failure(status: Int, body: [UInt8], retryAfter: Int? = nil, words: String) -> KubeError {
    var status = APIStatus(httpCode: status, body: body)
    if let retryAfter { status.details.retryAfterSeconds = retryAfter }
    if status.code == 401 {
      return .unauthorized(context: contextName, server: server, words: status.message)
    }
    return .status(status, request: words, context: contextName)
  }

  private func execute(
    _ request: APIRequest, body: [UInt8]?, credential: RequestCredential, isWatch: Bool
  ) async throws -> HTTPClientResponse {
    var headers: HTTPHeaders = ["Accept": request.accept]
    if body != nil { headers.add(name: "Content-Type", value: request.contentType) }
    // A compressed stream would hold events back.
    if isWatch { headers.add(name: "Accept-Encoding", value: "identity") }
    return try await execute(
      request.method, request.pathAndQuery, credential: credential, headers: headers, body: body)
  }

  /// What a large body may take beyond the time of any request: as much as over a line of 32 kbit/s, which is an eighth of a
  /// slow line where several bodies share it. A line that is dead is given up earlier, by the kernel (`keepAlive`).
  static func uploadTime(_ body: [UInt8]?) -> Duration { .seconds((body?.count ?? 0) / 4096) }

  private static func bytes(of response: HTTPClientResponse) async throws -> [UInt8] {
    Array(try await response.body.collect(upTo: maximumBodySize).readableBytesView)
  }
}

/// Runs a body, and ends it with `TransportFailure.responseTimeout` when it takes longer than it may.
func withTimeout<Value: Sendable>(
  _ limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  try await withThrowingTaskGroup(of: Value.self) { group in
    group.addTask { try await body() }
    group.addTask {
      try await Task.sleep(for: limit)
      throw TransportFailure.responseTimeout
    }
    defer { group.cancelAll() }
    guard let value = try await group.next() else { throw CancellationError() }
    return value
  }
}
