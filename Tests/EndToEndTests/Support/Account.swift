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
  /// Makes a ServiceAccount and a kubeconfig with its token. The kubeconfig has a context for each of the namespaces;
  /// the first is the current one.
  static func account(
    _ name: String, in kubectl: Kubectl, namespaces: [String], user: OrdinaryUser
  ) async throws -> Account {
    try await kubectl("create", "serviceaccount", name)
    let token = try await token(of: name, in: kubectl)
    let view = try Kubectl.parse(
      try await run(["kubectl", "config", "view", "--raw", "--minify", "--flatten", "-o", "json"]).output)
    guard let cluster = view["clusters"]?.array?.first?["cluster"] else {
      throw TestFailure("KUBECONFIG names no cluster")
    }
    let config: JSONValue = [
      "apiVersion": "v1", "kind": "Config", "current-context": .string(namespaces[0]),
      "clusters": [["name": "e2e", "cluster": cluster]],
      "users": [["name": "e2e", "user": ["token": .string(token)]]],
      "contexts": .array(
        namespaces.map {
          ["name": .string($0), "context": ["cluster": "e2e", "user": "e2e", "namespace": .string($0)]]
        }),
    ]
    let path = "\(user.folder)/\(name).kubeconfig"
    try user.write(Self.text(config), to: path)
    return Account(kubeconfig: path)
  }

  /// Asks the API server for a token of a ServiceAccount. A Secret with one has not come by itself since 1.24, and
  /// `kubectl create token` is as young; the request that it makes is older than 1.20.
  private static func token(of account: String, in kubectl: Kubectl) async throws -> String {
    let request: JSONValue = [
      "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": ["expirationSeconds": 14400],
    ]
    let path = "/api/v1/namespaces/\(kubectl.namespace)/serviceaccounts/\(account)/token"
    let answer = try Kubectl.parse(
      try await run(["kubectl", "create", "--raw", path, "-f", "-"], input: text(request)).output)
    guard let token = answer[path: "status", "token"]?.string else { throw TestFailure("no token: \(answer)") }
    return token
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
    return try await account(name, rules: rules)
  }

  /// Makes an account with rights in the first namespace. Until ``forget(_:)``, its Role can be given others.
  @discardableResult
  func account(_ name: String, rights: [Right]) async throws -> Account {
    try await account(name, rules: Self.rules(rights))
  }

  /// Changes what an account may do.
  func give(_ rights: [Right], to name: String) async throws {
    try await kubectl.apply(Self.text(role(name, Self.rules(rights))))
  }

  /// Removes an account and its rights.
  func forget(_ name: String) async throws {
    try await kubectl("delete", "role/\(name)", "rolebinding/\(name)")
    try await accounts("delete", "serviceaccount/\(name)")
  }

  private func account(_ name: String, rules: [JSONValue]) async throws -> Account {
    let subject: JSONValue = [
      "kind": "ServiceAccount", "name": .string(name), "namespace": .string(accounts.namespace),
    ]
    let binding: JSONValue = [
      "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": .string(name)],
      "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": .string(name)],
      "subjects": [subject],
    ]
    try await kubectl.apply(Self.text(["apiVersion": "v1", "kind": "List", "items": [role(name, rules), binding]]))
    return try await Self.account(name, in: accounts, namespaces: [kubectl.namespace], user: user)
  }

  private func role(_ name: String, _ rules: [JSONValue]) -> JSONValue {
    [
      "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": .string(name)],
      "rules": .array(rules),
    ]
  }

  private static func rules(_ rights: [Right]) -> [JSONValue] {
    rights.map { right in .object(right.rule.mapValues { .array($0.map { .string($0) }) }) }
  }

  /// JSON that is YAML too: of YAML's versions only the last has an escaped slash.
  private static func text(_ value: JSONValue) -> String { String(decoding: value.text, as: UTF8.self) }
}
