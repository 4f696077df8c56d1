import DevrunCore
import TestSupport

extension NamespaceSnapshot {
  /// Takes a snapshot of the namespace.
  init(of kubectl: Kubectl) async throws {
    let history = try await kubectl("rollout", "history", "deployment")
    self.init(objects: try await kubectl.everything(), history: history)
  }
}

extension Kubectl {
  /// The kinds of objects that namespaces hold, but the events and what metrics servers make up.
  static func lastingKinds() async throws -> [String] {
    try await run(["kubectl", "api-resources", "--verbs=list", "--namespaced", "-o", "name"]).output
      .split(separator: "\n").map(String.init)
      .filter { !$0.hasPrefix("events") && !$0.hasSuffix(".metrics.k8s.io") }
  }

  /// The option that makes kubectl print managed fields: before 1.21 it printed them always and had no such option.
  static func managedFieldsOption() async throws -> [String] {
    let option = "--show-managed-fields"
    return try await run(["kubectl", "get", "--help"]).output.contains(option) ? [option] : []
  }

  /// Every object of the namespace, of the kinds that last.
  func everything() async throws -> [JSONValue] {
    let list = try await run(
      ["kubectl", "-n", namespace, "get", kinds.joined(separator: ","), "-o", "json"] + managedFields)
    return try Self.parse(list.output)["items"]?.array ?? []
  }

  /// The resource version of every object: equal at two moments if nothing was written between them.
  func resourceVersions() async throws -> [String: String] {
    let pairs = try await everything().map { object in
      (
        "\(object["kind"]?.string ?? "?")/\(object[path: "metadata", "name"]?.string ?? "?")",
        object[path: "metadata", "resourceVersion"]?.string ?? "?"
      )
    }
    return Dictionary(pairs, uniquingKeysWith: { $1 })
  }
}
