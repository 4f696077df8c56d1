public import DevrunConfig
public import DevrunCore
internal import DevrunKube
public import DevrunSystem
internal import DevrunView
public import DevrunWorkload
internal import NIOCore
internal import NIOPosix

/// Puts back what interrupted runs left changed, from any machine: all that is needed stands in the cluster.
public struct Restoration: Sendable {
  private let access: ClusterAccess
  private let environment: EnvironmentVariables
  private let reporter: any Reporter

  /// Works on the namespace of the given access.
  public init(access: ClusterAccess, environment: EnvironmentVariables, reporter: any Reporter) {
    self.access = access
    self.environment = environment
    self.reporter = reporter
  }

  /// A workload that is redirected, and by whom.
  public struct Redirected: Sendable, Hashable {
    /// `deployment/NAME`
    public var workload: String
    /// Who holds the session, as `user@machine`.
    public var holder: String
    /// When it began (RFC 3339).
    public var since: String
  }

  /// What is redirected in the namespace.
  ///
  /// - Throws: `KubeError`, `SessionError`
  public func redirected() async throws -> [Redirected] {
    try await inNamespace { namespace in
      try await DeploymentRestore.redirected(in: namespace).map {
        Redirected(workload: "deployment/\($0.name)", holder: $0.holder, since: $0.since)
      }
    }
  }

  /// What could be redirected in the namespace, for a person who named no target.
  ///
  /// - Throws: `KubeError`
  public func candidates() async throws -> [String] {
    try await inNamespace { try await TargetKinds.candidates(in: $0) }
  }

  /// Removes the files that killed runs left here, and restores the named workloads, or with `nil` everything of the
  /// namespace that any session changed, pods of sessions' own included.
  ///
  /// - Returns: what was restored, in words.
  /// - Throws: `KubeError`, `SessionError`
  public func restore(_ targets: [TargetReference]?) async throws -> [String] {
    // At the end: what was killed a moment ago may take some time to let go of its folder.
    defer { SessionDirectory.removeAbandoned(environment: environment) }
    return try await inNamespace { namespace in
      var done: [String] = []
      var names: [String] = []
      if let targets {
        for target in targets { names.append(try await TargetKinds.workload(target, in: namespace).name) }
      } else {
        names = try await DeploymentRestore.redirected(in: namespace).map(\.name)
      }
      for name in names {
        if try await DeploymentRestore(of: name, in: namespace).run(reporter: reporter) {
          done.append("deployment/\(name)")
        }
      }
      if targets == nil { done += try await removeLeftovers(in: namespace) }
      return done
    }
  }

  /// Deletes the pods and ConfigMaps of sessions: what is labelled with one.
  private func removeLeftovers(in namespace: Namespace) async throws -> [String] {
    var done: [String] = []
    let (client, ownPods) = (namespace.client, OwnPods(in: namespace))
    for pod in try await client.list(namespace.pods, labelSelector: SessionMark.key).items {
      try await ownPods.remove(pod.name)
      done.append("pod/\(pod.name)")
    }
    let configMaps = try await client.list(namespace.configMaps, labelSelector: SessionMark.key).items
    try await PayloadUpload(in: namespace, session: "").delete(configMaps.map(\.name))
    return done
  }

  private func inNamespace<Result: Sendable>(_ body: (Namespace) async throws -> Result) async throws -> Result {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let client = try KubeClient(access: access, environment: environment, group: group, options: .devrun())
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
