// The fields of objects that controllers read and write, by their names in the API.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

extension KubeObject {
  /// `spec.replicas` of a workload: 1 unless it is set.
  var desiredReplicas: Int {
    get { spec["replicas"]?.int ?? 1 }
    set { spec["replicas"] = .int(Int64(newValue)) }
  }

  /// A count of `status`, such as `availableReplicas`; 0 if it is not set.
  func statusCount(_ name: String) -> Int { status[name]?.int ?? 0 }

  /// Whether one of the conditions of `status` has the status `True`.
  func hasCondition(_ type: String) -> Bool { message(ofCondition: type, being: "True") != nil }

  /// A condition of `status`.
  func condition(_ type: String) -> StatusCondition? {
    (status["conditions"]?.array ?? []).first { $0["type"]?.string == type }.map(StatusCondition.init)
  }

  /// Sets a condition of `status`, or removes it with `nil`.
  mutating func set(condition type: String, _ condition: StatusCondition?) {
    var conditions = status["conditions"]?.array ?? []
    conditions.removeAll { $0["type"]?.string == type }
    if let condition { conditions.append(condition.json) }
    setStatus("conditions", conditions.isEmpty ? nil : .array(conditions))
  }

  /// Sets a member of `status`.
  mutating func setStatus(_ name: String, _ value: JSONValue?) {
    var status = status
    status[name] = value
    json["status"] = status
  }

  /// Whether a pod is neither ended nor on its way out.
  var isActivePod: Bool { !isTerminating && !hasEnded }

  /// Whether all containers of a pod have ended for good.
  var hasEnded: Bool { ["Succeeded", "Failed"].contains(status["phase"]?.string) }

  /// The reference by which a controller owns an object (`meta/v1` OwnerReference).
  var controllerReference: JSONValue? {
    var reference = ownerReference
    reference?["controller"] = true
    reference?["blockOwnerDeletion"] = true
    return reference
  }

  /// Adds an owner to an object that is not made yet.
  mutating func setOwner(_ reference: JSONValue?) {
    metadata["ownerReferences"] = .array([reference].compactMap(\.self))
  }
}

/// One of the conditions of a workload (`apps/v1` DeploymentCondition, ReplicaSetCondition).
struct StatusCondition: Sendable, Hashable {
  /// The condition's JSON.
  var json: JSONValue

  /// The condition of a JSON document.
  init(_ json: JSONValue) { self.json = json }

  /// A condition that has the status since a time.
  init(_ type: String, _ value: String, _ reason: String, _ message: String, since time: Date) {
    json = [
      "type": .string(type), "status": .string(value), "reason": .string(reason), "message": .string(message),
      "lastTransitionTime": .string(time.apiTime),
    ]
  }

  /// `True`, `False` or `Unknown`
  var value: String { json["status"]?.string ?? "" }
  /// `reason`
  var reason: String { json["reason"]?.string ?? "" }
  /// `message`
  var message: String { json["message"]?.string ?? "" }
  /// When the condition got the status that it has.
  var transition: Date? { json["lastTransitionTime"]?.string.flatMap(Date.init(apiTime:)) }
  /// When the condition was last written.
  var update: Date? { json["lastUpdateTime"]?.string.flatMap(Date.init(apiTime:)) }
}

extension Date {
  /// The time of an RFC 3339 text, with or without a fraction of seconds.
  init?(apiTime text: String) {
    let whole = Date.ISO8601FormatStyle()
    guard
      let date = (try? whole.parse(text))
        ?? (try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text))
    else { return nil }
    self = date
  }

  /// The time as `meta/v1` Time has it: in UTC, with whole seconds.
  var apiTime: String { formatted(.iso8601) }
}

/// A LabelSelector object of a workload (`meta/v1` LabelSelector), or the plain map of a Service.
struct LabelMatch: Sendable, Hashable {
  private var labels: [String: String]
  private var expressions: [JSONValue]

  /// The selector of a workload's `spec.selector`.
  init(selector: JSONValue) {
    labels = selector["matchLabels"]?.stringMap ?? [:]
    expressions = selector["matchExpressions"]?.array ?? []
  }

  /// The selector of a plain map of labels.
  init(labels: [String: String]) {
    self.labels = labels
    expressions = []
  }

  /// Whether nothing is asked for. Such a selector of a workload selects nothing.
  var isEmpty: Bool { labels.isEmpty && expressions.isEmpty }

  /// Whether labels fit.
  func matches(_ present: [String: String]) -> Bool {
    labels.allSatisfy { present[$0.key] == $0.value } && expressions.allSatisfy { Self.fits($0, present) }
  }

  private static func fits(_ expression: JSONValue, _ present: [String: String]) -> Bool {
    guard let key = expression["key"]?.string else { return false }
    let values = (expression["values"]?.array ?? []).compactMap(\.string)
    return switch expression["operator"]?.string {
    case "In": present[key].map(values.contains) ?? false
    case "NotIn": !(present[key].map(values.contains) ?? false)
    case "Exists": present[key] != nil
    case "DoesNotExist": present[key] == nil
    default: false
    }
  }
}
