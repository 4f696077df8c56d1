import DevrunCore
import Foundation
import TestSupport

/// Somebody whom the cluster knows, with a kubeconfig of their own.
struct Account: Sendable {
  /// The path of the kubeconfig, readable by the tests' user.
  let kubeconfig: String
}

/// A verb on a resource, as Kubernetes' RBAC has them.
struct Right: Sendable, CustomStringConvertible {
  var verbs: [String]
  var group: String
  var resource: String

  var description: String { "\(verbs.joined(separator: "/")) \(resource)" }
}

extension Cluster {
  /// Makes a ServiceAccount and a kubeconfig with its token, whose current context names one of the given namespaces: the
  /// first. It has a context for each other.
  static func account(
    _ name: String, in kubectl: Kubectl, namespaces: [String], user: OrdinaryUser
  ) async throws -> Account {
    try await kubectl.apply(
      """
      apiVersion: v1
      kind: ServiceAccount
      metadata: {name: \(name)}
      ---
      apiVersion: v1
      kind: Secret
      type: kubernetes.io/service-account-token
      metadata: {name: \(name), annotations: {kubernetes.io/service-account.name: \(name)}}
      """)
    try await eventually {
      try await kubectl.value("secret/\(name)", ".data.token").isEmpty ? "no token for \(name)" : nil
    }
    let encoded = try await kubectl.value("secret/\(name)", ".data.token")
    guard let token = Data(base64Encoded: encoded) else { throw TestFailure("\(name)'s token is no base64") }
    let view = try Kubectl.parse(
      try await run(["kubectl", "config", "view", "--raw", "--minify", "--flatten", "-o", "json"]).output)
    guard let cluster = view["clusters"]?.array?.first?["cluster"] else {
      throw TestFailure("KUBECONFIG names no cluster")
    }
    let config: JSONValue = [
      "apiVersion": "v1", "kind": "Config", "current-context": .string(namespaces[0]),
      "clusters": [["name": "e2e", "cluster": cluster]],
      "users": [["name": "e2e", "user": ["token": .string(String(decoding: token, as: UTF8.self))]]],
      "contexts": .array(
        namespaces.map {
          ["name": .string($0), "context": ["cluster": "e2e", "user": "e2e", "namespace": .string($0)]]
        }),
    ]
    let path = "\(user.folder)/\(name).kubeconfig"
    try user.write(Self.text(config), to: path)
    return Account(kubeconfig: path)
  }

  /// Gives a ClusterRole's rights in one namespace.
  static func grant(_ role: String, in kubectl: Kubectl, to account: String, of namespace: String) async throws {
    try await kubectl.apply(
      """
      apiVersion: rbac.authorization.k8s.io/v1
      kind: RoleBinding
      metadata: {name: \(account)}
      roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: \(role)}
      subjects: [{kind: ServiceAccount, name: \(account), namespace: \(namespace)}]
      """)
  }

  /// Makes an account that has the rights of the ClusterRole `edit` but for one.
  func account(lacking right: Right) async throws -> Account {
    let name = "lacks-\(right.verbs[0])-\(right.resource.replacingOccurrences(of: "/", with: "-"))"
    let edit = try await kubectl.json("clusterrole", "edit")
    var rules: [JSONValue] = []
    for rule in edit["rules"]?.array ?? [] {
      let resources = rule["resources"]?.array ?? []
      guard rule["apiGroups"]?.array?.contains(.string(right.group)) == true,
        resources.contains(.string(right.resource))
      else {
        rules.append(rule)
        continue
      }
      var others = rule
      others["resources"] = .array(resources.filter { $0 != .string(right.resource) })
      var lesser = rule
      lesser["resources"] = [.string(right.resource)]
      lesser["verbs"] = .array((rule["verbs"]?.array ?? []).filter { !right.verbs.contains($0.string ?? "") })
      rules += [others, lesser].filter { $0["resources"] != [] && $0["verbs"] != [] }
    }
    let subject: JSONValue = [
      "kind": "ServiceAccount", "name": .string(name), "namespace": .string(accounts.namespace),
    ]
    let list: JSONValue = [
      "apiVersion": "v1", "kind": "List",
      "items": [
        [
          "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": .string(name)],
          "rules": .array(rules),
        ],
        [
          "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": .string(name)],
          "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": .string(name)],
          "subjects": [subject],
        ],
      ],
    ]
    try await kubectl.apply(Self.text(list))
    return try await Self.account(name, in: accounts, namespaces: [kubectl.namespace], user: user)
  }

  /// JSON that is YAML too: of YAML's versions only the last has an escaped slash.
  private static func text(_ value: JSONValue) -> String { String(decoding: value.text, as: UTF8.self) }
}
