internal import DevrunCore
internal import NIOHTTP1

/// A request to the API, as it came, with the user who sent it.
struct APIRequest: Sendable {
  /// The method.
  var method: HTTPMethod
  /// The path's parts, with their percent-encoding removed.
  var path: [String]
  /// The query, in its order.
  var query: [(name: String, value: String)]
  /// The headers.
  var headers: HTTPHeaders
  /// The whole body.
  var body: [UInt8] = []
  /// Who sends it.
  var user: User

  /// The request of a head, whose body is still to come.
  init(_ head: HTTPRequestHead, user: User) {
    method = head.method
    headers = head.headers
    self.user = user
    let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = parts[0].split(separator: "/").map { Self.decoded($0) }
    query = (parts.count > 1 ? parts[1].split(separator: "&") : []).map { pair in
      let pair = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = pair.count > 1 ? Self.decoded(pair[1].replacing("+", with: " ")) : ""
      return (name: Self.decoded(pair[0].replacing("+", with: " ")), value: value)
    }
  }

  /// The text without its percent-encoding; as it is if that is broken.
  private static func decoded(_ text: some StringProtocol) -> String {
    PercentEncoding.decode(text.utf8).map { String(decoding: $0, as: UTF8.self) } ?? String(text)
  }

  /// The first value of a name in the query; `nil` if there is none, or an empty one.
  func value(_ name: String) -> String? {
    query.first { $0.name == name }.flatMap { $0.value.isEmpty ? nil : $0.value }
  }

  /// Whether a switch of the query is on.
  func isSet(_ name: String) -> Bool { ["true", "1"].contains(value(name)) }

  /// A number of the query.
  ///
  /// - Throws: 400 if it is none.
  func number(_ name: String) throws(APIFailure) -> Int? {
    guard let text = value(name) else { return nil }
    guard let number = Int(text) else {
      throw .badRequest("strconv.ParseInt: parsing \"\(text)\": invalid syntax")
    }
    return number
  }

  /// The name under which changes are recorded in `managedFields`: the query's, or that of the client.
  var fieldManager: String {
    value("fieldManager") ?? headers.first(name: "User-Agent")?.split(separator: "/").first.map(String.init)
      ?? "unknown"
  }

  /// The media type of the body, without its parameters; empty if there is none.
  var contentType: String {
    let text = headers.first(name: "Content-Type") ?? ""
    return text.prefix { $0 != ";" && $0 != " " }.lowercased()
  }
}
