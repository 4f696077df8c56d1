extension APIStatus {
  /// Who refused a request with status 403.
  public enum Refusal: Sendable, Hashable {
    /// The authorizer: the user lacks the right.
    case missingRight
    /// The namespace is being deleted, and nothing can be made in it any more.
    case namespaceEnds
    /// Admission: a quota, a limit range, a policy or a webhook. The user has the right.
    case policy
    /// Something that does not answer as the API server does, such as a firewall in front of it.
    case unknown
  }

  /// Who refused the request; `nil` for a status other than 403.
  ///
  /// The authorizer and admission fill the fields of a Status in the same way. The sentence of the authorizer has one
  /// form in all versions (`User "x" cannot VERB resource "y" ...`), so that all else is admission's.
  public var refusal: Refusal? {
    guard code == 403 else { return nil }
    if causes.contains(where: { $0.reason == "NamespaceTerminating" }) { return .namespaceEnds }
    if message.firstMatch(of: Self.authorizersSentence) != nil { return .missingRight }
    return reason == "Forbidden" || !details.kind.isEmpty || message.hasPrefix("admission webhook ")
      ? .policy : .unknown
  }

  /// The user's name is quoted as Go's `%q` does it. For a path in place of a resource the verb is followed by `path`.
  private static var authorizersSentence: Regex<Substring> {
    #/(?i)\bforbidden: (?:unknown: )?User "(?:[^"\\]|\\.)*" cannot [a-z*]+ (?:resource|path)\b|\bis attempting to grant RBAC permissions not currently held\b/#
  }
}
