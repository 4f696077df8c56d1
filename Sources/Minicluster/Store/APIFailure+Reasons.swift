// The failures of the API, in the words of its server (k8s.io/apimachinery/pkg/api/errors). Clients print these words,
// and devrun's tests compare them with those of a real cluster.
package import DevrunKube

extension APIFailure {
  /// 404: there is no object of this name.
  package static func notFound(_ kind: ObjectKind, _ name: String) -> APIFailure {
    about(kind, name, code: 404, reason: "NotFound", "\(kind.qualifiedResource) \"\(name)\" not found")
  }

  /// 404: the API has no such path.
  package static func unknownPath() -> APIFailure {
    APIFailure(
      APIStatus(code: 404, reason: "NotFound", message: "the server could not find the requested resource"))
  }

  /// 409: an object of this name exists.
  package static func alreadyExists(_ kind: ObjectKind, _ name: String) -> APIFailure {
    about(kind, name, code: 409, reason: "AlreadyExists", "\(kind.qualifiedResource) \"\(name)\" already exists")
  }

  /// 409: the object is not in the state that the request is meant for.
  ///
  /// - Parameter problem: why; by default that someone else has changed it.
  package static func conflict(
    _ kind: ObjectKind, _ name: String,
    _ problem: String =
      "the object has been modified; please apply your changes to the latest version and try again"
  ) -> APIFailure {
    about(
      kind, name, code: 409, reason: "Conflict",
      "Operation cannot be fulfilled on \(kind.qualifiedResource) \"\(name)\": \(problem)")
  }

  /// 422: fields of the object have values that they must not have.
  package static func invalid(_ kind: ObjectKind, _ name: String, _ causes: [APIStatus.Cause]) -> APIFailure {
    let problems = causes.map { "\($0.field): \($0.message)" }
    let problem = problems.count == 1 ? problems[0] : "[\(problems.joined(separator: ", "))]"
    return APIFailure(
      APIStatus(
        code: 422, reason: "Invalid", message: "\(kind.qualifiedKind) \"\(name)\" is invalid: \(problem)",
        causes: causes, details: APIStatus.Details(name: name, kind: kind.kind)),
      group: kind.group)
  }

  /// 403: the object may not be changed or made, whoever asks.
  package static func forbidden(
    _ kind: ObjectKind, _ name: String = "", _ problem: String, causes: [APIStatus.Cause] = []
  ) -> APIFailure {
    let object = name.isEmpty ? kind.qualifiedResource : "\(kind.qualifiedResource) \"\(name)\""
    var failure = about(kind, name, code: 403, reason: "Forbidden", "\(object) is forbidden: \(problem)")
    failure.status.causes = causes
    return failure
  }

  /// 403: the user has no right to do this.
  ///
  /// - Parameters:
  ///   - name: the object; empty for a collection.
  ///   - namespace: `nil` for objects in no namespace, and for a list over all namespaces.
  package static func forbidden(
    user: String, verb: String, _ kind: ObjectKind, subresource: String? = nil, in namespace: String?,
    name: String = ""
  ) -> APIFailure {
    let resource = kind.resource + (subresource.map { "/\($0)" } ?? "")
    let place = namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
    return forbidden(
      kind, name,
      "User \"\(user)\" cannot \(verb) resource \"\(resource)\" in API group \"\(kind.group)\" \(place)")
  }

  /// 401: the request has no credentials that the API accepts.
  package static func unauthorized() -> APIFailure {
    APIFailure(APIStatus(code: 401, reason: "Unauthorized", message: "Unauthorized"))
  }

  /// 410: the changes since a version are forgotten.
  package static func expired(since version: Int, oldest: Int) -> APIFailure {
    APIFailure(
      APIStatus(code: 410, reason: "Expired", message: "too old resource version: \(version) (\(oldest))"))
  }

  /// 410: the rest of a list is asked for too late.
  package static func expired() -> APIFailure {
    APIFailure(
      APIStatus(
        code: 410, reason: "Expired",
        message: "The provided continue parameter is too old to display a consistent list result. You can start a new "
          + "list without the continue parameter."))
  }

  /// 400: the request makes no sense.
  package static func badRequest(_ message: String) -> APIFailure {
    APIFailure(APIStatus(code: 400, reason: "BadRequest", message: message))
  }

  /// 405: the resource has no such verb.
  package static func methodNotAllowed() -> APIFailure {
    APIFailure(
      APIStatus(
        code: 405, reason: "MethodNotAllowed",
        message: "the server does not allow this method on the requested resource"
      ))
  }

  /// 406: the client accepts nothing that the API sends.
  package static func notAcceptable(_ accepted: [String]) -> APIFailure {
    APIFailure(
      APIStatus(
        code: 406, reason: "NotAcceptable",
        message: "only the following media types are accepted: \(accepted.joined(separator: ", "))"))
  }

  /// 415: the body is of a type that the API does not read.
  package static func unsupportedMediaType(_ accepted: [String]) -> APIFailure {
    APIFailure(
      APIStatus(
        code: 415, reason: "UnsupportedMediaType",
        message: "the body of the request was in an unknown format - accepted media types include: "
          + accepted.joined(separator: ", ")))
  }

  /// 429: not now.
  package static func tooManyRequests(
    _ message: String, retryAfterSeconds: Int? = nil, causes: [APIStatus.Cause] = []
  ) -> APIFailure {
    APIFailure(
      APIStatus(
        code: 429, reason: "TooManyRequests", message: message, causes: causes,
        details: APIStatus.Details(retryAfterSeconds: retryAfterSeconds)))
  }

  /// 500: the server itself failed.
  package static func internalError(_ problem: String) -> APIFailure {
    APIFailure(
      APIStatus(
        code: 500, reason: "InternalError", message: "Internal error occurred: \(problem)",
        causes: [APIStatus.Cause(message: problem)]))
  }

  /// 504: a version is asked for that there is not yet.
  package static func tooLarge(version: Int, current: Int) -> APIFailure {
    APIFailure(
      APIStatus(
        code: 504, reason: "Timeout",
        message: "Timeout: Too large resource version: \(version), current: \(current)",
        causes: [APIStatus.Cause(reason: "ResourceVersionTooLarge", message: "Too large resource version")],
        details: APIStatus.Details(retryAfterSeconds: 1)))
  }

  private static func about(
    _ kind: ObjectKind, _ name: String, code: Int, reason: String, _ message: String
  ) -> APIFailure {
    APIFailure(
      APIStatus(
        code: code, reason: reason, message: message, details: APIStatus.Details(name: name, kind: kind.resource)),
      group: kind.group)
  }
}

extension ObjectKind {
  /// The resource with its group, as in messages: `deployments.apps`.
  package var qualifiedResource: String { group.isEmpty ? resource : "\(resource).\(group)" }
  /// The kind with its group, as in messages: `Deployment.apps`.
  package var qualifiedKind: String { group.isEmpty ? kind : "\(kind).\(group)" }
}
