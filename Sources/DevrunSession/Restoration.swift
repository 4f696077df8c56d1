public import DevrunConfig
internal import DevrunCore
internal import DevrunKube
public import DevrunSystem
internal import DevrunView
internal import DevrunWorkload
internal import NIOCore
internal import NIOPosix

/// Puts back what interrupted runs left changed, from any machine: all that is needed stands in the cluster.
///
/// Sessions of others that live are left alone unless they are named. Every target is restored beside the others, so that
/// one that cannot be restored holds up none.
public struct Restoration: Sendable {
  private let access: ClusterAccess
  private let environment: EnvironmentVariables
  private let holder: String
  private let reporter: RunReporter

  /// Works on the namespace of the given access. Masks the user's own credentials in what is reported from now on.
  ///
  /// - Parameters:
  ///   - access: the cluster, the credentials and the namespace.
  ///   - environment: this process's.
  ///   - holder: who restores, as `user@machine`: their own sessions are theirs to end.
  ///   - reporter: who gets the news.
  public init(access: ClusterAccess, environment: EnvironmentVariables, holder: String, reporter: RunReporter) {
    self.access = access
    self.environment = environment
    self.holder = holder
    self.reporter = reporter
    reporter.mask(SecretMask.secrets(of: access.credentials))
    for warning in access.warnings { reporter.report(.warning(warning)) }
    for warning in access.warnings { reporter.report(.warning(warning)) }
  }

  /// What a restore has done.
  public struct Outcome: Sendable {
    /// What was restored or deleted, as `kind/name`.
    public var restored: [String] = []
    /// Live sessions of others, which were left alone: what they redirect, and who holds them.
    public var leftAlone: [String] = []
    /// What could not be restored or not be found, and why.
    public var failures: [String] = []
  }

  /// What sessions have changed or made in the namespace, in words: a name by which it can be restored, who holds the
  /// session, and since when.
  ///
  /// - Throws: `KubeError`
  public func redirected() async throws -> [String] {
    try await inNamespace { namespace in
      let sessions = try await LeftSessions.read(in: namespace)
      for error in sessions.unreadable { reporter.report(.warning(error.message)) }
      return sessions.all.map(\.description)
    }
  }

  /// What could be redirected in the namespace, for a person who named no target.
  ///
  /// - Throws: `KubeError`
  public func candidates() async throws -> [String] {
    try await inNamespace { try await TargetKinds.candidates(in: $0) }
  }

  /// Removes the files that killed runs left here, and restores what is named; with `nil` everything of the namespace that
  /// dead sessions, or this user's own, have changed or made.
  ///
  /// The name of a Deployment means the sessions that redirect it, and what is left of the others that were aimed at it, but
  /// not live sessions that only run beside it. One name that cannot be restored holds up no other.
  ///
  /// - Throws: `KubeError`
  public func restore(_ names: [RestoreReference]?) async throws -> Outcome {
    // At the end: what was killed a moment ago may take some time to let go of its folder.
    defer { SessionDirectory.removeAbandoned(environment: environment) }
    return try await inNamespace { namespace in
      let choice = try await choice(names, in: namespace)
      var outcome = Outcome()
      outcome.leftAlone = choice.leftAlone.map(\.description)
      outcome.failures = choice.failures
      await withTaskGroup(of: (String, Result<Bool, any Error>).self) { group in
        for session in choice.chosen {
          group.addTask {
            do {
              return (session.what, .success(try await end(session, in: namespace)))
            } catch {
              return (session.what, .failure(error))
            }
          }
        }
        for await (what, result) in group {
          switch result {
          case .success(true): outcome.restored.append(what)
          case .success(false): continue
          case .failure(let error): outcome.failures.append("\(what): \(error)")
          }
        }
      }
      outcome.restored.sort()
      outcome.failures.sort()
      return outcome
    }
  }

  private func choice(_ names: [RestoreReference]?, in namespace: Namespace) async throws -> RestoreChoice {
    if let names { return try await LeftSessions.named(names, in: namespace, holder: holder) }
    let sessions = try await LeftSessions.read(in: namespace)
    for error in sessions.unreadable { reporter.report(.warning(error.message)) }
    return .all(sessions.all, holder: holder)
  }

  /// Ends a session: its workload, its pods, its ConfigMaps.
  private func end(_ session: LeftSession, in namespace: Namespace) async throws -> Bool {
    // A right that is missing is not waited for: whoever restores by hand can ask for it.
    let urgency = RestoreUrgency()
    let patience = Patience(limit: Patience.ofTheEnd, reporter: reporter, urgency: urgency) { $0.isTransient }
    var isChanged = false
    if session.isRedirecting, let deployment = session.deployment {
      try await Rights(in: namespace).checkRestore(of: deployment)
      reporter.report(.step("restoring deployment/\(deployment)"))
      isChanged = try await patience.persist {
        try await DeploymentRestore(of: deployment, in: namespace).run(session: session.name, urgency: urgency)
      }
    }
    let ownPods = OwnPods(in: namespace)
    for pod in session.pods {
      try await patience.persist { try await ownPods.remove(pod) }
      isChanged = true
    }
    let upload = PayloadUpload(in: namespace, session: session.name)
    try await patience.persist { try await upload.delete(session.configMaps) }
    return isChanged || !session.configMaps.isEmpty
  }

  private func inNamespace<Result: Sendable>(_ body: (Namespace) async throws -> Result) async throws -> Result {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let client = try KubeClient(
      access: access, environment: environment, group: group, options: .devrun(reporter: reporter))
    let outcome: Swift.Result<Result, any Error>
    do {
      outcome = .success(try await body(Namespace(access.namespace, client: client)))
    } catch {
      outcome = .failure(error)
    }
    try await client.shutdown()
    try await group.shutdownGracefully()
    return try outcome.get()
  }
}
