// Where each request's credentials come from.
//
// What can change (a token file, a plugin's credentials, the files that the kubeconfig names) is kept with a generation
// number. A request that is refused (401) names the generation it used: only if that is still the newest is anything
// asked for anew, and then by one of many waiting requests for all of them.
//
// Files of certificates and keys are looked at before each request, and read again when they have changed. A file may be
// missing, empty or half written for a moment. Therefore nothing takes the place of what worked until it can be used
// itself.

import DevrunConfig
import DevrunCore
import Foundation

/// The credentials of one user, renewed as needed.
actor CredentialSource {
  /// How long a token file's content stands before the file is read again.
  private static let tokenFileLife: TimeInterval = 60

  var access: ClusterAccess
  private let runPlugin: @Sendable (ExecCredentialPlugin) async throws -> ExecCredential
  private let isUsable: @Sendable (ClusterAccess) -> Bool
  let now: @Sendable () -> Date
  let renewal: IDTokenRenewal?

  private var current: RequestCredential?
  private var expiration: Date?
  private var generation = 0
  private var run: PluginRun?
  /// The last token that the token file held.
  private var lastFileToken: String?
  /// The files as they were before they were last read; `nil` before the first request.
  private var versions: [FileVersion?]?
  /// The authorization as it was last read. Renewed tokens that could not be written to the file are newer.
  var readAuthorization: Credentials.Authorization?
  /// What is under way and was found about the renewal of the id-token.
  var idToken = IDTokenState()

  /// A run of the plugin that is under way, and how many wait for it.
  private struct PluginRun {
    var task: Task<ExecCredential, any Error>
    var waiting: Int
  }

  /// A source of the credentials of an access.
  ///
  /// - Parameters:
  ///   - access: the access, with the place where it can be read again.
  ///   - isUsable: whether an access that was read again has certificates and keys that can be used.
  ///   - now: the time.
  ///   - renewal: how an id-token is renewed; `nil` if it is not.
  ///   - runPlugin: runs the plugin of credentials that have one.
  init(
    _ access: ClusterAccess, isUsable: @escaping @Sendable (ClusterAccess) -> Bool,
    now: @escaping @Sendable () -> Date = { Date() }, renewal: IDTokenRenewal? = nil,
    runPlugin: @escaping @Sendable (ExecCredentialPlugin) async throws -> ExecCredential
  ) {
    self.access = access
    readAuthorization = access.credentials.authorization
    self.renewal = renewal
    self.isUsable = isUsable
    self.now = now
    self.runPlugin = runPlugin
  }

  /// The credentials for a request that is about to be sent.
  ///
  /// Throws `CredentialError`, or `CancellationError` where the caller is cancelled while it waits for a plugin.
  func credential() async throws -> RequestCredential {
    adoptChangedFiles()
    if let current, expiration.map({ now() < $0 }) ?? true { return current }
    switch access.credentials.authorization {
    case nil: return renew(authorization: nil)
    case .token(let token): return renew(authorization: "Bearer " + token)
    case .basic(let user, let password): return renew(authorization: "Basic " + base64("\(user):\(password)".utf8))
    case .idToken: return try await useIDToken()
    case .tokenFile(let path, let fallback): return try readTokenFile(path, fallback: fallback)
    case .exec(let plugin): return try await credential(of: plugin)
    }
  }

  /// Tells that the server refused the credentials of a generation. Whether it is worth while to ask for new ones.
  func refused(_ credential: RequestCredential) -> Bool {
    switch access.credentials.authorization {
    case .tokenFile, .exec:
      if credential.generation == generation { current = nil }
      // Somebody may have logged in in another way.
      _ = adoptKubeconfig()
      return true
    case nil, .token, .basic, .idToken:
      // Somebody may have logged in again, which writes to the kubeconfig.
      return credential.generation != generation || adoptKubeconfig()
    }
  }

  func renew(
    authorization: String?, clientCertificate: Credentials.ClientCertificate? = nil, expiration: Date? = nil
  ) -> RequestCredential {
    generation += 1
    let credential = RequestCredential(
      authorization: authorization, clientCertificate: clientCertificate ?? access.credentials.clientCertificate,
      certificateAuthority: access.certificateAuthority, generation: generation)
    current = credential
    self.expiration = expiration
    return credential
  }
}

// MARK: - Files that change

extension CredentialSource {
  /// Reads the access again if one of the files that it names has changed.
  private func adoptChangedFiles() {
    guard let source = access.source, !source.files.isEmpty else { return }
    let versions = source.versions
    // Files that cannot be used yet are looked at again before the next request.
    guard versions != self.versions, let next = readAgain() else { return }
    self.versions = versions
    _ = adopt(next)
  }

  /// Reads the access again. Returns whether anything in it is new and can be used.
  func adoptKubeconfig() -> Bool { readAgain().map(adopt) ?? false }

  /// The access as the files have it now; `nil` if it cannot be read or used. The cluster stays the same: a session does
  /// not move.
  private func readAgain() -> ClusterAccess? {
    // What cannot be read now is not worse than before.
    guard let next = try? access.source?.read(), next.server == access.server, isUsable(next) else { return nil }
    return next
  }

  private func adopt(_ next: ClusterAccess) -> Bool {
    var next = next
    if next.credentials.authorization == readAuthorization {
      next.credentials.authorization = access.credentials.authorization
    } else {
      readAuthorization = next.credentials.authorization
    }
    let areCredentialsNew = next.credentials != access.credentials
    guard areCredentialsNew || next.certificateAuthority != access.certificateAuthority else { return false }
    access.credentials = next.credentials
    access.certificateAuthority = next.certificateAuthority
    access.source = next.source
    if areCredentialsNew {
      // Whoever is refused from now on with the credentials before these is to try again.
      generation += 1
      current = nil
    } else if var credential = current {
      generation += 1
      credential.certificateAuthority = next.certificateAuthority
      credential.generation = generation
      current = credential
    }
    return true
  }

  private func readTokenFile(_ path: String, fallback: String?) throws(CredentialError) -> RequestCredential {
    do {
      let token = try Self.token(in: path)
      lastFileToken = token
      return renew(authorization: "Bearer " + token, expiration: now() + Self.tokenFileLife)
    } catch {
      // As in client-go, a file that is missing or empty for a moment does not end what worked until now. The next
      // request reads it again.
      guard let token = lastFileToken ?? fallback else { throw error }
      return renew(authorization: "Bearer " + token, expiration: now())
    }
  }

  private static func token(in path: String) throws(CredentialError) -> String {
    let data: Data
    do {
      data = try Data(contentsOf: URL(filePath: path))
    } catch {
      throw .tokenFile(path: path, problem: error.localizedDescription)
    }
    guard let token = HeaderText.token(String(decoding: data, as: UTF8.self)) else {
      throw .tokenFile(path: path, problem: "it holds a line break or another control character, which no token has")
    }
    guard !token.isEmpty else { throw .tokenFile(path: path, problem: "it is empty") }
    return token
  }
}

// MARK: - Plugins

extension CredentialSource {
  private func credential(of plugin: ExecCredentialPlugin) async throws -> RequestCredential {
    let task: Task<ExecCredential, any Error>
    if let run {
      task = run.task
    } else {
      task = Task { [runPlugin] in try await runPlugin(plugin) }
      run = PluginRun(task: task, waiting: 0)
    }
    run?.waiting += 1
    let result = await withTaskCancellationHandler {
      await task.result
    } onCancel: {
      Task { await self.stopWaiting(for: task) }
    }
    // The first that resumes takes the result for all.
    if run?.task == task {
      run = nil
      if case .success(let credential) = result {
        return renew(
          authorization: credential.token.map { "Bearer " + $0 }, clientCertificate: credential.clientCertificate,
          expiration: credential.expiration)
      }
    }
    try Task.checkCancellation()
    _ = try result.get()
    return try await credential()
  }

  /// One of those who wait was cancelled; with the last one the plugin goes.
  private func stopWaiting(for task: Task<ExecCredential, any Error>) {
    guard run?.task == task else { return }
    run?.waiting -= 1
    if run?.waiting == 0 { task.cancel() }
  }
}
