package import DevrunCore
package import DevrunKube

/// A request that the API refuses, with the status that it is answered by.
package struct APIFailure: Error, Sendable, Hashable {
  /// What the client gets (`meta/v1` Status).
  package var status: APIStatus
  /// The API group of the resource in question (`details.group`); empty for the core group.
  package var group: String

  /// A failure of a status.
  package init(_ status: APIStatus, group: String = "") {
    self.status = status
    self.group = group
  }

  /// The `Status` object that the API sends.
  package var json: JSONValue {
    var details: [String: JSONValue] = [:]
    if !status.details.name.isEmpty { details["name"] = .string(status.details.name) }
    if !group.isEmpty { details["group"] = .string(group) }
    if !status.details.kind.isEmpty { details["kind"] = .string(status.details.kind) }
    if let seconds = status.details.retryAfterSeconds { details["retryAfterSeconds"] = .int(Int64(seconds)) }
    if !status.causes.isEmpty { details["causes"] = .array(status.causes.map(\.json)) }
    var json: JSONValue = [
      "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(status.message),
      "code": .int(Int64(status.code)),
    ]
    if !status.reason.isEmpty { json["reason"] = .string(status.reason) }
    if !details.isEmpty { json["details"] = .object(details) }
    return json
  }
}

extension APIStatus.Cause {
  fileprivate var json: JSONValue {
    var json: JSONValue = ["message": .string(message)]
    if !reason.isEmpty { json["reason"] = .string(reason) }
    if !field.isEmpty { json["field"] = .string(field) }
    return json
  }
}
