// The id-token of `auth-provider: oidc`, renewed as kubectl does it.
//
// When the token ends, the kubeconfig is read again, because kubectl may have renewed it. If it has not, the issuer is
// asked, by one request for all that wait. The new tokens are written to the kubeconfig: an issuer may have replaced the
// refresh token, and the old one in the file would lock out kubectl.

import DevrunConfig
import DevrunCore
import Foundation

/// How id-tokens are renewed.
struct IDTokenRenewal: Sendable {
  /// Takes new tokens before they are used.
  var keepSecret: @Sendable ([String]) -> Void
  /// Takes what the user should be warned of.
  var warn: @Sendable (ErrorMessage) -> Void
  /// Asks the issuer for new tokens.
  var ask: @Sendable (Credentials.IDToken.Refresh) async throws -> IssuedTokens
}

/// What is under way and was found about the renewal of an id-token.
struct IDTokenState {
  /// The renewal that is under way, and how many wait for it.
  var run: (task: Task<RequestCredential, any Error>, waiting: Int)?
  /// A refresh token that the issuer does not take any more. It is not sent again.
  var refusal: (refreshToken: String, error: CredentialError)?
  /// Whether the user was warned that tokens cannot be written.
  var hasWarned = false
}

extension CredentialSource {
  /// How long before its end an id-token is not sent any more, as in kubectl.
  private static let idTokenLeeway: TimeInterval = 10

  /// The id-token while it is good, else a new one.
  func useIDToken() async throws -> RequestCredential {
    if let credential = goodIDToken() { return credential }
    let task: Task<RequestCredential, any Error>
    if let run = idToken.run {
      task = run.task
    } else {
      if adoptKubeconfig(), let credential = goodIDToken() { return credential }
      guard case .idToken(let token) = access.credentials.authorization else { return try await credential() }
      guard let refresh = token.refresh, let renewal else {
        throw CredentialError.idToken(isMissing: token.token.isEmpty)
      }
      if let refusal = idToken.refusal, refusal.refreshToken == refresh.refreshToken { throw refusal.error }
      task = Task { try await self.renewIDToken(token, with: refresh, by: renewal) }
      idToken.run = (task, 0)
    }
    idToken.run?.waiting += 1
    let result = await withTaskCancellationHandler {
      await task.result
    } onCancel: {
      Task { await self.stopWaitingForIDToken(task) }
    }
    try Task.checkCancellation()
    if case .failure(let error) = result, error is CancellationError {
      // The run was cancelled by those who waited before.
      return try await credential()
    }
    return try result.get()
  }

  /// One of those who wait was cancelled; with the last one the renewal ends, if the issuer was not asked yet.
  private func stopWaitingForIDToken(_ task: Task<RequestCredential, any Error>) {
    guard idToken.run?.task == task else { return }
    idToken.run?.waiting -= 1
    if idToken.run?.waiting == 0 { task.cancel() }
  }

  private func goodIDToken() -> RequestCredential? {
    guard case .idToken(let token) = access.credentials.authorization, !token.token.isEmpty,
      let end = Self.end(of: token)
    else { return nil }
    return now() < end ? renew(authorization: "Bearer " + token.token, expiration: end) : nil
  }

  private static func end(of token: Credentials.IDToken) -> Date? {
    token.expiration.map { Date(timeIntervalSince1970: TimeInterval($0)) - idTokenLeeway }
  }

  private func renewIDToken(
    _ old: Credentials.IDToken, with refresh: Credentials.IDToken.Refresh, by renewal: IDTokenRenewal
  ) async throws -> RequestCredential {
    defer { idToken.run = nil }
    let issued: IssuedTokens
    do {
      issued = try await renewal.ask(refresh)
    } catch let error as CredentialError {
      // Another program may have used the refresh token at the same moment.
      if adoptKubeconfig(), let credential = goodIDToken() { return credential }
      if case .idTokenNotRenewed(_, let problem) = error, problem.isOfToken {
        idToken.refusal = (refresh.refreshToken, error)
      }
      throw error
    }
    var new = old
    if let text = issued.idToken, let expiration = Credentials.IDToken.expiration(of: text) {
      new.token = text
      new.expiration = expiration
    }
    if let refreshToken = issued.refreshToken { new.refresh?.refreshToken = refreshToken }
    renewal.keepSecret([issued.idToken, issued.refreshToken].compactMap { $0 })
    access.credentials.authorization = .idToken(new)
    // The file may still hold the tokens before those that were renewed now.
    var read = old
    if case .idToken(let token) = readAuthorization { read = token }
    if let problem = await Self.write(new, inPlaceOf: read) {
      if problem == .notFound, adoptKubeconfig(), let credential = goodIDToken() { return credential }
      if new.refresh != read.refresh { warn(of: problem, refresh, by: renewal) }
    } else {
      var written = new
      if read.token.isEmpty { (written.token, written.expiration) = ("", nil) }
      readAuthorization = .idToken(written)
    }
    guard new.token != old.token, let end = Self.end(of: new) else {
      throw CredentialError.idTokenNotRenewed(
        issuer: IssuerURL(refresh.issuer)?.server.display,
        problem: .answer(
          issued.idToken == nil ? "it has no id_token" : "its id_token is no new JSON Web Token with an expiration"))
    }
    return renew(authorization: "Bearer " + new.token, expiration: end)
  }

  private func warn(
    of problem: TokenWriteError, _ refresh: Credentials.IDToken.Refresh, by renewal: IDTokenRenewal
  ) {
    guard !idToken.hasWarned else { return }
    idToken.hasWarned = true
    renewal.warn(
      ErrorMessage(
        "the new refresh-token of the auth-provider 'oidc' could not be written to \(refresh.kubeconfig)",
        why: "\(problem.words); the refresh-token in the file may not be good any more",
        remedy: "this session goes on; for kubectl log in again, or use the credential plugin 'kubectl oidc-login'"
          + " (int128/kubelogin)"))
  }

  /// Writes tokens to the kubeconfig. Waits a moment for another program's lock, which ends with no event. Goes on if
  /// the caller is cancelled: the issuer takes the old tokens no more.
  ///
  /// - Returns: why the tokens were not written; `nil` if they were.
  private static func write(
    _ new: Credentials.IDToken, inPlaceOf old: Credentials.IDToken
  ) async -> TokenWriteError? {
    await Task {
      var backoff = Backoff(first: .milliseconds(20), limit: .milliseconds(200))
      var failure: TokenWriteError?
      for _ in 0..<15 {
        do throws(TokenWriteError) {
          try Kubeconfig.replace(old, with: new)
          return nil
        } catch {
          failure = error
          guard case .locked = error else { return error }
        }
        await backoff.pause()
      }
      return failure
    }.value
  }
}
