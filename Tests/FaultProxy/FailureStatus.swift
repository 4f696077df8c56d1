internal import DevrunCore

/// A failure as the API server writes it: an object of kind `Status`
/// (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/).
struct FailureStatus {
  private let json: JSONValue

  var object: JSONValue { json }
  var text: [UInt8] { json.text }

  init(_ code: Int, retryAfter: Int? = nil, _ request: ProxiedRequest) {
    let parts = request.path.split(separator: "/").map(String.init)
    let place = parts.firstIndex(of: "namespaces").map { $0 + 2 }.flatMap { $0 < parts.count ? $0 : nil }
    let resource = place.map { parts[$0] } ?? parts.last ?? ""
    let name = place.flatMap { $0 + 1 < parts.count ? parts[$0 + 1] : nil } ?? ""
    let group = parts.first == "apis" && parts.count > 1 ? parts[1] : ""
    let about = group.isEmpty ? resource : "\(resource).\(group)"
    let (reason, message) = Self.words(code, about: about, resource: resource, name: name, group: group, request.method)
    var details: JSONValue = ["name": .string(name), "group": .string(group), "kind": .string(resource)]
    if let retryAfter { details["retryAfterSeconds"] = .int(Int64(retryAfter)) }
    json = [
      "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
      "reason": .string(reason), "details": details, "code": .int(Int64(code)),
    ]
  }

  private static func words(
    _ code: Int, about: String, resource: String, name: String, group: String, _ method: String
  ) -> (reason: String, message: String) {
    let verb = ["GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"][method] ?? "get"
    return switch code {
    case 401: ("Unauthorized", "Unauthorized")
    case 403:
      (
        "Forbidden",
        "\(about) \"\(name)\" is forbidden: User \"somebody\" cannot \(verb) resource \"\(resource)\" in API group \"\(group)\""
      )
    case 404: ("NotFound", "\(about) \"\(name)\" not found")
    case 409:
      (
        "Conflict",
        "Operation cannot be fulfilled on \(about) \"\(name)\": the object has been modified; please apply your changes to the latest version and try again"
      )
    case 410: ("Expired", "too old resource version: 1 (2)")
    case 422: ("Invalid", "\(about) \"\(name)\" is invalid: spec: Invalid value: made by the fault proxy")
    case 429: ("TooManyRequests", "too many requests, please try again later")
    case 503: ("ServiceUnavailable", "the server is currently unable to handle the request")
    case 504: ("Timeout", "the server was unable to return a response in the time allotted")
    default: ("InternalError", "Internal error occurred: made by the fault proxy")
    }
  }
}
