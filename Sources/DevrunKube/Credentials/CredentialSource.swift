// Where each request's credentials come from.
//
// What can change (a token file, a plugin's credentials) is kept with a generation number. A request that is refused
// (401) names the generation it used: only if that is still the newest is anything asked for anew, and then by one of
// many waiting requests for all of them.

import DevrunConfig
import DevrunCore
import Foundation

/// The credentials of one user, renewed as needed.
actor CredentialSource {
  /// How long a token file's content stands before the file is read again.
  private static let tokenFileLife: TimeInterval = 60

  private let credentials: Credentials
  private let plugin: (@Sendable () async throws -> ExecCredential)?
  private let now: @Sendable () -> Date

  private var current: RequestCredential?
  private var expiration: Date?
  private var generation = 0
  private var run: PluginRun?

  /// A run of the plugin that is under way, and how many wait for it.
  private struct PluginRun {
    var task: Task<ExecCredential, any Error>
    var waiting: Int
  }

  /// A source of the given credentials. `runPlugin` runs the plugin of credentials that have one.
  init(
    _ credentials: Credentials, now: @escaping @Sendable () -> Date = { Date() },
    runPlugin: @escaping @Sendable (ExecCredentialPlugin) async throws -> ExecCredential
  ) {
    self.credentials = credentials
    self.now = now
    if case .exec(let plugin) = credentials.authorization {
      self.plugin = { try await runPlugin(plugin) }
    } else {
      plugin = nil
    }
  }

  /// The credentials for a request that is about to be sent.
  ///
  /// Throws `CredentialError`, or `CancellationError` where the caller is cancelled while it waits for a plugin.
  func credential() async throws -> RequestCredential {
    if let current, expiration.map({ now() < $0 }) ?? true { return current }
    switch credentials.authorization {
    case nil: return renew(authorization: nil)
    case .token(let token): return renew(authorization: "Bearer " + token)
    case .basic(let user, let password): return renew(authorization: "Basic " + base64("\(user):\(password)".utf8))
    case .tokenFile(let path, let fallback): return try readTokenFile(path, fallback: fallback)
    case .exec: return try await runPlugin()
    }
  }

  /// Tells that the server refused the credentials of a generation. Whether it is worth while to ask for new ones.
  func refused(_ credential: RequestCredential) -> Bool {
    switch credentials.authorization {
    case .tokenFile, .exec:
      if credential.generation == generation { current = nil }
      return true
    case nil, .token, .basic: return false
    }
  }

  private func renew(
    authorization: String?, clientCertificate: Credentials.ClientCertificate? = nil, expiration: Date? = nil
  ) -> RequestCredential {
    generation += 1
    let credential = RequestCredential(
      authorization: authorization, clientCertificate: clientCertificate ?? credentials.clientCertificate,
      generation: generation)
    current = credential
    self.expiration = expiration
    return credential
  }

  private func readTokenFile(_ path: String, fallback: String?) throws(CredentialError) -> RequestCredential {
    let text: String
    do {
      text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    } catch {
      // As client-go: a file that cannot be read for a moment does not end what worked until now.
      guard let token = fallback else {
        throw .tokenFile(path: path, problem: error.localizedDescription)
      }
      return renew(authorization: "Bearer " + token, expiration: now() + Self.tokenFileLife)
    }
    guard let token = HeaderText.token(text) else {
      throw .tokenFile(path: path, problem: "it holds a line break or another control character, which no token has")
    }
    guard !token.isEmpty else { throw .tokenFile(path: path, problem: "it is empty") }
    return renew(authorization: "Bearer " + token, expiration: now() + Self.tokenFileLife)
  }

  private func runPlugin() async throws -> RequestCredential {
    if run == nil, let plugin {
      run = PluginRun(task: Task { try await plugin() }, waiting: 0)
    }
    guard let task = run?.task else { return renew(authorization: nil) }
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
