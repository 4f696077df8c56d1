public import DevrunConfig
internal import DevrunCore
internal import DevrunKube
public import DevrunSystem
internal import NIOCore
internal import NIOPosix

/// Puts back what interrupted runs left changed, from any machine: all that is needed stands in the cluster.
public struct Restoration: Sendable {
  private let access: ClusterAccess
  private let environment: EnvironmentVariables
  private let observer: any SessionObserver

  /// Works on the namespace of the given access.
  public init(access: ClusterAccess, environment: EnvironmentVariables, observer: any SessionObserver) {
    self.access = access
    self.environment = environment
    self.observer = observer
  }

  /// The command line of a restore, for messages.
  ///
  /// - Parameters:
  ///   - workload: what to restore, as `deployment/NAME`; `nil` for everything in the namespace.
  ///   - namespace: the namespace.
  public static func commandLine(of workload: String? = nil, in namespace: String) -> String {
    "devrun restore -n \(namespace) \(workload ?? "--all")"
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
    try await withClient { client in
      try await DeploymentRestore.redirected(in: access.namespace, client: client).map {
        Redirected(workload: "deployment/\($0.name)", holder: $0.record.holder, since: $0.record.since)
      }
    }
  }

  /// What could be redirected in the namespace, for a person who named no target.
  ///
  /// - Throws: `KubeError`
  public func candidates() async throws -> [String] {
    try await withClient { client in
      try await TargetResolution(client: client, namespace: access.namespace).candidates()
    }
  }

  /// Removes the files that killed runs left here, and restores the named workloads, or with `nil` everything of the namespace that any session changed, pods of
  /// sessions' own included.
  ///
  /// - Returns: what was restored, in words.
  /// - Throws: `KubeError`, `SessionError`
  public func restore(_ targets: [TargetReference]?) async throws -> [String] {
    // At the end: what was killed a moment ago may take some time to let go of its folder.
    defer { SessionDirectory.removeAbandoned(environment: environment) }
    return try await withClient { client in
      var done: [String] = []
      let names: [String]
      if let targets {
        let resolution = TargetResolution(client: client, namespace: access.namespace)
        var found: [String] = []
        for target in targets { found.append(try await resolution.workload(target).name) }
        names = found
      } else {
        names = try await DeploymentRestore.redirected(in: access.namespace, client: client).map(\.name)
      }
      for name in names {
        let restore = DeploymentRestore(client: client, namespace: access.namespace, name: name)
        if try await restore.run(observer: observer) { done.append("deployment/\(name)") }
      }
      if targets == nil { done += try await removeLeftovers(client) }
      return done
    }
  }

  /// Deletes the pods and ConfigMaps of sessions: what is labelled with one.
  private func removeLeftovers(_ client: KubeClient) async throws -> [String] {
    var done: [String] = []
    let newPod = NewPod(client: client, namespace: access.namespace)
    for pod in try await client.list(.pods(in: access.namespace), labelSelector: PayloadUpload.label).items {
      let name = TargetResolution.name(of: pod)
      try await newPod.remove(name)
      done.append("pod/\(name)")
    }
    let configMaps = try await client.list(.configMaps(in: access.namespace), labelSelector: PayloadUpload.label).items
    let upload = PayloadUpload(client: client, namespace: access.namespace, session: "")
    try await upload.delete(configMaps.map(TargetResolution.name))
    return done
  }

  private func withClient<Result: Sendable>(_ body: (KubeClient) async throws -> Result) async throws -> Result {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let client = try KubeClient(access: access, environment: environment, group: group, options: .devrun())
    let outcome: Swift.Result<Result, any Error>
    do {
      outcome = .success(try await body(client))
    } catch {
      outcome = .failure(error)
    }
    try await client.shutdown()
    try await group.shutdownGracefully()
    return try outcome.get()
  }
}
