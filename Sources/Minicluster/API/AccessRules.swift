/// Who may do what. A table stands for the roles of a real cluster: the administrator may do everything, the developer has
/// the default role `edit` in one namespace, and everyone may see which API there is.
///
/// The rights of `edit` are those of
/// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles, for the kinds that are kept here.
struct AccessRules: Sendable {
  /// The namespace in which the developer works.
  static let developersNamespace = "default"

  /// What is to be done, and to what.
  struct Action: Sendable, Hashable {
    /// The verb, as RBAC names it.
    var verb: String
    /// The API group; empty for the core group.
    var group: String
    /// The resource.
    var resource: String
    /// What of the object: `log`.
    var subresource: String?
    /// The namespace; `nil` for all, and for objects in none.
    var namespace: String?
    /// The object; `nil` for the collection.
    var name: String?

    /// The resource with its subresource: `pods/log`.
    var qualifiedResource: String { resource + (subresource.map { "/\($0)" } ?? "") }
  }

  /// A line of the table.
  struct Rule: Sendable, Hashable {
    var groups: [String]
    var resources: [String]
    var verbs: [String]
  }

  private static let reading = ["get", "list", "watch"]
  private static let writing = ["create", "delete", "deletecollection", "patch", "update"]

  /// What every user with credentials may do.
  static let ofEveryone = [
    Rule(
      groups: ["authorization.k8s.io"], resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
      verbs: ["create"]),
    Rule(groups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"], verbs: ["create"]),
  ]

  /// What the role `edit` gives in a namespace.
  static let ofEditors = [
    Rule(
      groups: [""],
      resources: [
        "configmaps", "persistentvolumeclaims", "pods", "secrets", "serviceaccounts", "services",
      ], verbs: reading + writing),
    Rule(
      groups: [""],
      resources: [
        "endpoints", "events", "limitranges", "namespaces", "namespaces/status", "persistentvolumeclaims/status",
        "pods/log", "pods/status", "resourcequotas", "resourcequotas/status", "services/status",
      ], verbs: reading),
    Rule(
      groups: [""], resources: ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"],
      verbs: reading + writing),
    Rule(groups: [""], resources: ["pods/eviction", "serviceaccounts/token"], verbs: ["create"]),
    Rule(
      groups: ["apps"],
      resources: [
        "daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets",
        "statefulsets/scale",
      ], verbs: reading + writing),
    Rule(
      groups: ["apps"],
      resources: ["daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status"],
      verbs: reading),
    Rule(groups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: reading),
    Rule(groups: ["networking.k8s.io"], resources: ["networkpolicies"], verbs: reading + writing),
    Rule(groups: ["policy"], resources: ["poddisruptionbudgets"], verbs: reading + writing),
    Rule(groups: ["policy"], resources: ["poddisruptionbudgets/status"], verbs: reading),
  ]

  /// The lines that hold for a user in a namespace (`nil`: over all). The administrator's is not among them.
  static func rules(of user: User, in namespace: String?) -> [Rule] {
    guard user.groups.contains(User.authenticated) else { return [] }
    return ofEveryone + (user == .developer && namespace == developersNamespace ? ofEditors : [])
  }

  /// Whether a user may do something.
  static func allow(_ user: User, _ action: Action) -> Bool {
    if isAdministrator(user) { return true }
    return rules(of: user, in: action.namespace).contains { rule in
      rule.groups.contains(action.group) && rule.resources.contains(action.qualifiedResource)
        && rule.verbs.contains(action.verb)
    }
  }

  /// Whether a user may ask for a path that is no resource: the API's description and the server's health.
  static func allow(_ user: User, path: [String]) -> Bool {
    if isAdministrator(user) { return true }
    let isPublic = ["healthz", "livez", "readyz", "version"].contains(path.first)
    let isDescription = ["api", "apis", "openapi"].contains(path.first)
    return isPublic || isDescription && user.groups.contains(User.authenticated)
  }

  static func isAdministrator(_ user: User) -> Bool { user.groups.contains("system:masters") }
}
