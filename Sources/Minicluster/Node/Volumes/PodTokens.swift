internal import Synchronization

/// What a pod's token is asked for.
package struct TokenRequest: Sendable, Hashable {
  /// The namespace of the pod and its service account.
  package var namespace: String
  /// The service account.
  package var serviceAccount: String
  /// For whom the token is; `nil` is the API server.
  package var audience: String?
  /// How long it is valid.
  package var expirationSeconds: Int
}

/// The tokens of one pod's service account. As kubelet does, each is replaced after 80 % of its life.
final class PodTokens: Sendable {
  private struct Key: Hashable {
    var audience: String?
    var expirationSeconds: Int
  }

  private struct Entry {
    var token: String
    var renewal: ContinuousClock.Instant
  }

  private let namespace: String
  private let serviceAccount: String
  private let issue: @Sendable (TokenRequest) -> String
  private let entries = Mutex<[Key: Entry]>([:])

  /// The tokens of a service account, of which none has been made.
  init(namespace: String, serviceAccount: String, issue: @escaping @Sendable (TokenRequest) -> String) {
    self.namespace = namespace
    self.serviceAccount = serviceAccount
    self.issue = issue
  }

  /// The present token.
  func token(audience: String?, expirationSeconds: Int) -> String {
    let key = Key(audience: audience, expirationSeconds: expirationSeconds)
    return entries.withLock { entries in
      let now = ContinuousClock.now
      if let entry = entries[key], now < entry.renewal { return entry.token }
      let token = issue(
        TokenRequest(
          namespace: namespace, serviceAccount: serviceAccount, audience: audience,
          expirationSeconds: expirationSeconds))
      entries[key] = Entry(token: token, renewal: now + .seconds(Double(expirationSeconds) * 0.8))
      return token
    }
  }

  /// When the next token is due. `nil` if none has been made.
  var nextRenewal: ContinuousClock.Instant? { entries.withLock { $0.values.map(\.renewal).min() } }
}
