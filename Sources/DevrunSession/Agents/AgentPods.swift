internal import DevrunCore
internal import DevrunKube
internal import DevrunTunnel
internal import NIOCore

/// Follows the session's pods and keeps a tunnel to the agent of each: pods come and go with rollouts, evictions and
/// scaling, port-forwards break with networks. One task a pod connects, and connects again.
actor AgentPods {
  /// How a tunnel to a pod is made.
  typealias Connect = @Sendable (_ pod: String) async throws -> Tunnel

  /// The tunnels that are up.
  nonisolated let tunnels = AttachedTunnels()
  /// What happens to the pods.
  nonisolated let events = AgentEvents()

  private let client: KubeClient
  private let namespace: String
  private let labelSelector: String?
  private let session: String
  private let container: String
  private let connect: Connect
  private let observer: any SessionObserver

  private var connections: [String: Task<Void, Never>] = [:]
  private var ending: Set<String> = []
  private var objects: [String: JSONValue] = [:]
  private var waitingFor: [String: String] = [:]
  private let logs: AgentLogs
  /// What became of the tunnels to each pod, for who asks.
  private(set) var links: [String: PodLink] = [:]

  init(
    client: KubeClient, namespace: String, labelSelector: String?, session: String, container: String,
    observer: any SessionObserver, connect: @escaping Connect
  ) {
    self.client = client
    self.namespace = namespace
    self.labelSelector = labelSelector
    self.session = session
    self.container = container
    self.observer = observer
    self.connect = connect
    self.logs = AgentLogs(client: client, namespace: namespace, container: container, observer: observer)
  }

  /// Does something that takes until the session is up, unless a pod fails before that.
  ///
  /// - Throws: what `work` throws; `SessionError.agentFailed`; why the pods cannot be followed.
  nonisolated func whileHealthy(_ work: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask(operation: work)
      group.addTask { try await self.awaitFailure() }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Waits until the first tunnel is up.
  ///
  /// - Throws: `SessionError.agentFailed`; why the pods cannot be followed.
  nonisolated func awaitFirst() async throws {
    for await event in events.stream() {
      switch event {
      case .attached: return
      case .failed(let error): throw error
      case .lost(let error): throw error
      }
    }
    throw CancellationError()
  }

  /// Tells of pods that fail while the command runs, until the pods are not followed any more.
  nonisolated func watchOver() async {
    for await event in events.stream() {
      switch event {
      case .attached: continue
      case .failed(let error): observer.tell(.warning(error.message))
      case .lost(let error):
        observer.tell(.warning(ErrorMessage("the session's pods cannot be followed any more", why: "\(error)")))
      }
    }
  }

  /// Never returns but when the task is cancelled.
  private nonisolated func awaitFailure() async throws {
    for await event in events.stream() {
      switch event {
      case .attached: continue
      case .failed(let error): throw error
      case .lost(let error): throw error
      }
    }
    throw CancellationError()
  }

  /// Follows the pods until the task is cancelled; then closes every tunnel.
  func follow() async {
    do {
      for try await event in client.watch(.pods(in: namespace), labelSelector: labelSelector) {
        switch event {
        case .snapshot(let pods):
          for name in objects.keys where !pods.contains(where: { TargetResolution.name(of: $0) == name }) { gone(name) }
          for pod in pods { update(pod) }
        case .added(let pod), .modified(let pod): update(pod)
        case .deleted(let pod): gone(TargetResolution.name(of: pod))
        }
      }
    } catch is CancellationError {
      // The session ends.
    } catch {
      if !Task.isCancelled { events.tell(.lost(error)) }
    }
    for connection in connections.values { connection.cancel() }
    for connection in connections.values { await connection.value }
    await logs.end()
    events.finish()
  }

  /// A pod of the session as the cluster has it, with what admission added to its template.
  func pod(named name: String) -> JSONValue? { objects[name] }

  private func update(_ pod: JSONValue) {
    guard DeploymentRestore.session(of: pod) == session else { return }
    let name = TargetResolution.name(of: pod)
    objects[name] = pod
    logs.update(pod)
    links[name, default: PodLink()].waitsFor = nil
    switch PodState(pod: pod, container: container) {
    case .running:
      if connections[name] == nil { connections[name] = Task { await self.keepConnected(name) } }
    case .pending(let why):
      links[name]?.waitsFor = why
      if waitingFor.updateValue(why, forKey: name) != why { observer.tell(.detail("pod/\(name): \(why)")) }
    case .failed(let why):
      links[name]?.waitsFor = why
      events.tell(.failed(.agentFailed(pod: name, why: why)))
    case .ending:
      links[name]?.waitsFor = "it is ending"
      ending.insert(name)
    }
  }

  /// Waits until a tunnel is over, for whatever reason.
  private static func closed(_ tunnel: Tunnel) async {
    await withCheckedContinuation { closed in tunnel.closed.whenComplete { _ in closed.resume() } }
  }

  private func gone(_ name: String) {
    if let pod = objects.removeValue(forKey: name) { logs.remove(pod) }
    links[name] = nil
    waitingFor[name] = nil
    ending.remove(name)
    connections.removeValue(forKey: name)?.cancel()
  }

  /// Connects to a pod's agent, again and again as long as the pod is to run.
  private func keepConnected(_ pod: String) async {
    var backoff = Backoff()
    while !Task.isCancelled, !ending.contains(pod) {
      do {
        let tunnel = try await connect(pod)
        backoff = Backoff()
        tunnels.attach(tunnel, pod: pod)
        links[pod]?.attach(tunnel)
        events.tell(.attached(pod: pod))
        observer.tell(.detail("pod/\(pod): the tunnel is up"))
        await withTaskCancellationHandler {
          await Self.closed(tunnel)
        } onCancel: {
          Task { await tunnel.close() }
        }
        tunnels.detach(tunnel)
        links[pod]?.detach()
        if !Task.isCancelled, !ending.contains(pod) {
          observer.tell(.warning(ErrorMessage("the tunnel to pod/\(pod) broke; connecting again")))
        }
      } catch {
        if Task.isCancelled { return }
        // The container runs, which says nothing of the agent in it yet: there is no event for that.
        links[pod]?.failure = "\(error)"
        observer.tell(.detail("pod/\(pod): \(error)"))
      }
      await backoff.pause()
    }
  }
}
