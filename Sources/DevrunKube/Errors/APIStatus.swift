public import DevrunCore

/// The API server's own account of a failure: an object of kind `Status` (`meta/v1`).
public struct APIStatus: Sendable, Hashable {
  /// The HTTP status code.
  public var code: Int
  /// The machine-readable reason, such as `NotFound`, `AlreadyExists`, `Forbidden` or `Expired`. It is empty if the
  /// server sent none.
  public var reason: String
  /// The server's words for a person.
  public var message: String
  /// What exactly is wrong, field by field, where the server says so.
  public var causes: [Cause]
  /// What the failure is about.
  public var details: Details

  /// What a failure is about, and when to come back (`meta/v1` StatusDetails).
  public struct Details: Sendable, Hashable {
    /// The name of the object; empty if there is none.
    public var name: String
    /// The resource, such as `pods`; empty if there is none.
    public var kind: String
    /// After how many seconds the request may be sent again.
    public var retryAfterSeconds: Int?

    /// Details of the given parts.
    public init(name: String = "", kind: String = "", retryAfterSeconds: Int? = nil) {
      self.name = name
      self.kind = kind
      self.retryAfterSeconds = retryAfterSeconds
    }
  }

  /// One of the causes of a failure.
  public struct Cause: Sendable, Hashable {
    /// The machine-readable kind of the cause (`FieldValueInvalid`, ...).
    public var reason: String
    /// The server's words.
    public var message: String
    /// The field that is meant, as a path in the object; empty if none is.
    public var field: String

    /// A cause of the given parts.
    public init(reason: String = "", message: String, field: String = "") {
      self.reason = reason
      self.message = message
      self.field = field
    }
  }

  /// A status of the given parts.
  public init(
    code: Int, reason: String = "", message: String, causes: [Cause] = [], details: Details = Details()
  ) {
    self.code = code
    self.reason = reason
    self.message = message
    self.causes = causes
    self.details = details
  }

  /// Reads a `Status` object; `nil` where the value is something else. `httpCode` stands where the object has no code.
  public init?(_ json: JSONValue, httpCode: Int) {
    guard json["kind"]?.string == "Status" else { return nil }
    let causes = json[path: "details", "causes"]?.array ?? []
    self.init(
      code: json["code"]?.int ?? httpCode,
      reason: json["reason"]?.string ?? "",
      message: json["message"]?.string ?? json["reason"]?.string ?? "",
      causes: causes.map {
        Cause(
          reason: $0["reason"]?.string ?? "", message: $0["message"]?.string ?? "", field: $0["field"]?.string ?? "")
      },
      details: Details(
        name: json[path: "details", "name"]?.string ?? "", kind: json[path: "details", "kind"]?.string ?? "",
        retryAfterSeconds: json[path: "details", "retryAfterSeconds"]?.int))
  }

  /// Makes a status of any response that tells of a failure. What is no `Status` object (a load balancer's page, a
  /// proxy's line of text) is shown shortened.
  init(httpCode: Int, body: [UInt8]) {
    if let json = Self.json(body), let status = APIStatus(json, httpCode: httpCode) {
      self = status
      // Some of the server's own filters write a status without words.
      if message.isEmpty { message = "HTTP status \(code)" }
    } else {
      let words = Self.shortened(body)
      self.init(code: httpCode, message: words.isEmpty ? "HTTP status \(httpCode)" : words)
    }
  }

  private static func json(_ body: [UInt8]) -> JSONValue? {
    if let json = try? KubernetesProtobuf.json(of: body) { return json }
    return try? JSONValue(text: body)
  }

  /// The text of a body that may be HTML: without tags, scripts and styles, with white space folded, and at most 200
  /// characters long.
  static func shortened(_ body: [UInt8]) -> String {
    var text = String(decoding: body.prefix(16384), as: UTF8.self)
    let start = text.drop(while: \.isWhitespace).prefix(64).lowercased()
    if start.hasPrefix("<") {
      text = text.replacing(#/(?is)<(script|style|head)\b.*?</\1\s*>/#) { match in
        // A page's title often says more than the page.
        match.output.1.lowercased() == "head"
          ? match.output.0.firstMatch(of: #/(?is)<title>(.*?)</title>/#).map { " \($0.output.1): " } ?? " " : " "
      }
      text = text.replacing(#/<[^>]*>/#, with: " ")
    }
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.count <= 200 ? words : words.prefix(199) + "…"
  }
}
