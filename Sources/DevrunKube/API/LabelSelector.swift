public import DevrunCore

/// Label selectors in the form that a query takes
/// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors).
public enum LabelSelector {
  /// The text of a `LabelSelector` object (`matchLabels` and `matchExpressions`).
  public static func text(of selector: JSONValue) -> String {
    let labels = (selector["matchLabels"]?.stringMap ?? [:]).map { "\($0)=\($1)" }.sorted()
    let expressions = (selector["matchExpressions"]?.array ?? []).compactMap { expression -> String? in
      guard let key = expression["key"]?.string else { return nil }
      let values = (expression["values"]?.array ?? []).compactMap(\.string).joined(separator: ",")
      return switch expression["operator"]?.string {
      case "In": "\(key) in (\(values))"
      case "NotIn": "\(key) notin (\(values))"
      case "Exists": key
      case "DoesNotExist": "!\(key)"
      default: nil
      }
    }
    return (labels + expressions).joined(separator: ",")
  }

  /// The text of a plain map of labels, as a Service has it.
  public static func text(of labels: [String: String]) -> String {
    labels.map { "\($0)=\($1)" }.sorted().joined(separator: ",")
  }
}
