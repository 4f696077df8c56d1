/// The way to give the child a view of files that the user asks for.
public enum IsolationChoice: String, Sendable, Hashable, Codable, CaseIterable {
  /// The first of the following that this machine allows.
  case automatic
  /// `Isolation.mount`
  case mount
  /// `Isolation.user`
  case user
  /// `Isolation.trap`
  case trap

  /// The ways that this choice allows, the best first.
  public var candidates: [Isolation] {
    switch self {
    case .automatic: Isolation.allCases
    case .mount: [.mount]
    case .user: [.user]
    case .trap: [.trap]
    }
  }
}

/// How the child gets a view of files that only it and its descendants see. The best way comes first.
public enum Isolation: String, Sendable, Hashable, Codable, CaseIterable {
  /// A mount namespace alone (mount_namespaces(7)). Takes CAP_SYS_ADMIN and changes nothing else for the child.
  case mount
  /// A mount namespace in a user namespace (user_namespaces(7)), in which only the user's own user and group exist: files
  /// of others look like nobody's, and setuid programs don't gain their privileges.
  case user
  /// No namespace: each opening of a file is trapped, and the private files are handed out instead of the machine's.
  /// Volumes cannot appear at paths of their own, and setuid programs don't gain their privileges.
  case trap
}
