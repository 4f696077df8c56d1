/// Who sends a request.
package struct User: Sendable, Hashable {
  /// The user's name.
  package var name: String
  /// The user's groups.
  package var groups: [String]

  /// A user of a name and groups.
  package init(name: String, groups: [String] = []) {
    self.name = name
    self.groups = groups
  }

  /// The administrator, who may do everything.
  package static let admin = User(name: "minicluster-admin", groups: ["system:masters", authenticated])
  /// A developer, who has the rights of the role `edit` in the namespace `default`.
  package static let developer = User(name: "developer", groups: [authenticated])
  /// Whoever sends a request without credentials.
  static let anonymous = User(name: "system:anonymous", groups: ["system:unauthenticated"])

  /// A service account's user
  /// (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens).
  static func serviceAccount(_ name: String, in namespace: String) -> User {
    User(
      name: "system:serviceaccount:\(namespace):\(name)",
      groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", authenticated])
  }

  /// The group of all users that have credentials.
  static let authenticated = "system:authenticated"
}
