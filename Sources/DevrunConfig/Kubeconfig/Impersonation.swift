/// Whom a user acts as (Kubernetes' user impersonation; the `Impersonate-*` headers).
public struct Impersonation: Sendable, Hashable {
  /// The user's name.
  public var user: String
  /// The user's uid, if one is given.
  public var uid: String?
  /// The groups that the user is taken to be in.
  public var groups: [String]
  /// Further fields of the user, each with its values.
  public var extra: [String: [String]]

  /// An impersonation of the given user.
  public init(user: String, uid: String? = nil, groups: [String] = [], extra: [String: [String]] = [:]) {
    self.user = user
    self.uid = uid
    self.groups = groups
    self.extra = extra
  }
}
