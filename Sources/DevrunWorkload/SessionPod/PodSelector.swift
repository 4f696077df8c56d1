internal import DevrunCore

/// A label selector of the API (`meta/v1` LabelSelector), or a plain map of labels, that is applied to pods here.
struct PodSelector: Sendable, Hashable {
  private enum Operation: Sendable, Hashable {
    case isIn(Set<String>)
    case isNotIn(Set<String>)
    case exists
    case isMissing
    /// An operator that this version does not have: nothing matches it.
    case unknown
  }

  private struct Requirement: Sendable, Hashable {
    var key: String
    var operation: Operation
  }

  private var requirements: [Requirement]

  /// A selector of `matchLabels` and `matchExpressions`. An empty one selects every pod.
  init(_ selector: JSONValue) {
    requirements = Self.equal(selector["matchLabels"]?.stringMap ?? [:])
    for expression in selector["matchExpressions"]?.array ?? [] {
      let values = Set((expression["values"]?.array ?? []).compactMap(\.string))
      let operation: Operation =
        switch expression["operator"]?.string {
        case "In": .isIn(values)
        case "NotIn": .isNotIn(values)
        case "Exists": .exists
        case "DoesNotExist": .isMissing
        default: .unknown
        }
      requirements.append(Requirement(key: expression["key"]?.string ?? "", operation: operation))
    }
  }

  /// A selector of labels that a pod must have, as a Service has them.
  init(labels: [String: String]) { requirements = Self.equal(labels) }

  private static func equal(_ labels: [String: String]) -> [Requirement] {
    labels.map { Requirement(key: $0, operation: .isIn([$1])) }
  }

  /// The labels that it looks at.
  var keys: Set<String> { Set(requirements.map(\.key)) }

  /// Whether it selects a pod with these labels.
  func selects(_ labels: [String: String]) -> Bool {
    requirements.allSatisfy { requirement in
      let value = labels[requirement.key]
      return switch requirement.operation {
      case .isIn(let values): value.map(values.contains) ?? false
      case .isNotIn(let values): !(value.map(values.contains) ?? false)
      case .exists: value != nil
      case .isMissing: value == nil
      case .unknown: false
      }
    }
  }
}
