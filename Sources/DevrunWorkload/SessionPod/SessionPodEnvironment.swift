internal import DevrunCore
package import DevrunKube

/// The variables of a session's pod: the target container's, as far as they can be had where that alone is.
struct SessionPodEnvironment: Sendable {
  /// `env`
  private(set) var variables: [JSONValue] = []
  /// What is left out, and why.
  private(set) var omissions: [String] = []
  /// Whether a variable quotes the container's own resources.
  private(set) var quotesResources = false
  /// Whether a variable may quote one of those that list services: only the kubelet can put its value in then.
  private(set) var quotesServices = false

  /// The variables of a container in a pod with the given labels and annotations.
  init(of template: KubeObject, container: Container, labels: [String: String], annotations: [String: String]) {
    for variable in container.environment {
      if let value = variable["value"]?.string, value.contains(/\$\([^)]*_(SERVICE|PORT)/) { quotesServices = true }
      let name = variable["name"]?.string ?? ""
      if let quoted = variable["valueFrom"]?["resourceFieldRef"] {
        guard [nil, "", container.name].contains(quoted["containerName"]?.string) else {
          omissions.append("variable \(name) is left out: it quotes another container's resources")
          continue
        }
        quotesResources = true
      }
      if variable["valueFrom"]?["fileKeyRef"] != nil {
        omissions.append("variable \(name) is left out: an init container writes it")
        continue
      }
      variables.append(
        Self.quoting("labels", template.labels, lessThan: labels, variable)
          ?? Self.quoting("annotations", template.annotations, lessThan: annotations, variable) ?? variable)
    }
  }

  /// The variable with the template's value, if it quotes a label or an annotation that the pod does not have.
  private static func quoting(
    _ field: String, _ all: [String: String], lessThan own: [String: String], _ variable: JSONValue
  ) -> JSONValue? {
    guard let path = variable[path: "valueFrom", "fieldRef", "fieldPath"]?.string,
      path.hasPrefix("metadata.\(field)['"), path.hasSuffix("']")
    else { return nil }
    let key = String(path.dropFirst("metadata.\(field)['".count).dropLast(2))
    guard own[key] == nil, let value = all[key] else { return nil }
    // In a value, unlike in a quotation, `$(NAME)` would be replaced.
    return ["name": variable["name"] ?? "", "value": .string(value.replacing("$", with: "$$"))]
  }
}

extension KubeObject {
  /// Whether the containers of a pod, or of a template, have variables that list the services of their namespace
  /// (`enableServiceLinks` of `core/v1` PodSpec).
  package var hasServiceLinks: Bool { spec["enableServiceLinks"]?.bool ?? true }
}
