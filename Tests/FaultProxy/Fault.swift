// What can go wrong between a client and the API server, and for which requests.

/// A failure that the proxy makes.
public enum Fault: Sendable, Hashable {
  /// The request is answered by this status, in the form of the API server's own failures, and not passed on.
  case answer(Int, retryAfter: Int? = nil)
  /// The connection is closed: that of a request before it is passed on, that of a watch or a port-forward at once.
  case cut
  /// The request is passed on. Once it has been carried out, the connection is closed in place of the answer. The answer
  /// of a server that refuses passes.
  case loseAnswer
  /// What comes back is held until the fault is lifted: the answer of a request, the events of a watch. Of a
  /// port-forward, what goes there is held too.
  case hold
  /// Two events of a watch change places.
  case reorder
  /// A watch ends with the event of an error: its version is too old (410).
  case expire
  /// A port-forward carries this many bytes a second in each direction.
  case limit(bytesPerSecond: Int)
  /// Nothing: the requests are counted.
  case pass
}

/// How often a fault occurs. It can be lifted earlier.
public enum Occurrence: Sendable, Hashable {
  case once
  case times(Int)
  case always

  var count: Int? {
    switch self {
    case .once: 1
    case .times(let count): count
    case .always: nil
    }
  }
}

/// A request as the proxy received it.
public struct ProxiedRequest: Sendable {
  /// The HTTP method.
  public var method: String
  /// The path and the query, as they were sent.
  public var uri: String
  /// The body.
  public var body: [UInt8] = []

  /// The path without the query.
  public var path: Substring { uri.prefix { $0 != "?" } }
  /// Whether it asks for a stream of events.
  public var isWatch: Bool { uri.contains("watch=true") || uri.contains("watch=1") }
}

/// Which requests a fault is for.
public struct RequestPattern: Sendable, CustomStringConvertible {
  private var method: String?
  private var ending: [Substring]
  private var isWatch: Bool
  private var text: String?

  /// - Parameters:
  ///   - method: the HTTP method; `nil` for any.
  ///   - resource: the last parts of the path, such as `pods`, `deployments/web` and `pods/*/portforward`; `*` stands for
  ///     any one part. Empty for any path.
  ///   - text: what the body contains; `nil` for anything.
  public init(_ method: String? = nil, _ resource: String = "", containing text: String? = nil) {
    self.method = method
    ending = resource.split(separator: "/")
    isWatch = false
    self.text = text
  }

  /// All requests, watches and port-forwards.
  public static var all: RequestPattern { RequestPattern() }

  /// The watches of a collection; empty for all.
  public static func watch(_ collection: String = "") -> RequestPattern {
    var pattern = RequestPattern("GET", collection)
    pattern.isWatch = true
    return pattern
  }

  /// The port-forwards to a pod.
  public static func portForward(to pod: String = "*") -> RequestPattern {
    RequestPattern(nil, "pods/\(pod)/portforward")
  }

  /// Whether a request is one of these. A pattern that names a path and not a watch is for the other requests alone.
  public func matches(_ request: ProxiedRequest) -> Bool {
    if let method, method != request.method { return false }
    if isWatch != request.isWatch, isWatch || !ending.isEmpty { return false }
    let parts = request.path.split(separator: "/").suffix(ending.count)
    guard parts.count == ending.count, zip(ending, parts).allSatisfy({ $0 == "*" || $0 == $1 }) else { return false }
    guard let text else { return true }
    return String(decoding: request.body, as: UTF8.self).contains(text)
  }

  /// The pattern in words.
  public var description: String {
    let words = [method, isWatch ? "watch" : nil, ending.joined(separator: "/"), text.map { "with \($0)" }]
    return words.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " ")
  }
}
