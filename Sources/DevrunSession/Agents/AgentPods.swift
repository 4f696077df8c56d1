internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunTunnel
internal import DevrunView
internal import DevrunWorkload
internal import NIOCore

/// Follows the session's pods and keeps a tunnel to the agent of each: pods come and go with rollouts, evictions and
/// scaling, port-forwards break with networks. One task a pod connects, and connects again.
///
/// The pods are followed as long as the session lives. Whatever becomes of the watch, tunnels that work stay: only
/// cancellation closes them.
actor AgentPods {
  /// How a tunnel to a pod is made.
  typealias Connect = @Sendable (_ pod: String) async throws -> Tunnel
  /// How the pods are watched: gives the events, and reports the watch's condition.
  typealias Watch =
    @Sendable (_ onCondition: @escaping @Sendable (WatchCondition) -> Void)
    -> any AsyncSequence<WatchEvent, any Error> & Sendable

  /// How the words for what a pod waits for are looked up where its status has none.
  typealias Explain = @Sendable (_ pod: KubeObject) async throws -> String?

  /// The tunnels that are up.
  nonisolated let tunnels = AttachedTunnels()
  /// What happens to the pods. A new listener gets the last event of each pod and of the watch first.
  nonisolated let events = Broadcast<AgentEvent>()
  /// The pods whose container runs and that are not ready all the same. A new listener gets the last of each pod first.
  nonisolated let unready = Broadcast<Unready>()
  nonisolated let reporter: any Reporter

  private let watch: Watch
  private let session: String
  private let container: String
  private let connect: Connect
  private let logs: AgentLogs?
  private let explain: Explain?

  private var connections: [String: Task<Void, Never>] = [:]
  private var ending: Set<String> = []
  private var objects: [String: KubeObject] = [:]
  /// The last event of each pod without a tunnel, as a text.
  private var announced: [String: String] = [:]
  /// What became of the tunnels to each pod, for who asks.
  private(set) var links: [String: PodLink] = [:]

  init(
    in namespace: Namespace, labelSelector: String?, session: String, container: String,
    reporter: any Reporter, connect: @escaping Connect
  ) {
    self.init(
      session: session, container: container, logs: AgentLogs(in: namespace, container: container, reporter: reporter),
      reporter: reporter,
      explain: { try await PodWarnings(namespace: namespace).last(of: $0) },
      watch: { onCondition in
        namespace.client.persistentWatch(
          namespace.pods, labelSelector: labelSelector, onCondition: onCondition)
      }, connect: connect)
  }

  init(
    session: String, container: String, logs: AgentLogs?, reporter: any Reporter,
    explain: Explain? = nil, watch: @escaping Watch, connect: @escaping Connect
  ) {
    self.explain = explain
    self.watch = watch
    self.session = session
    self.container = container
    self.reporter = reporter
    self.connect = connect
    self.logs = logs
  }

  /// What each pod without a tunnel waits for, in words.
  var problems: [String: String] { links.compactMapValues(\.problem) }

  /// What each pod without a tunnel waits for, in words, with what the kubelet has recorded of it: a few of the pods are
  /// asked for.
  func explainedProblems() async -> [String: String] {
    var problems = problems
    let silent = problems.filter { ["ContainerCreating", "PodInitializing"].contains($0.value) }.keys.sorted()
    for name in silent.prefix(Self.maximumExplained) {
      guard let explain, let pod = objects[name] else { continue }
      do {
        if let words = try await explain(pod) { problems[name] = words }
      } catch {
        reporter.report(.detail("the Events of pod/\(name) cannot be read: \(error)"))
        break
      }
    }
    return problems
  }

  /// Each is a request.
  private static let maximumExplained = 3

  /// What keeps each pod whose container runs from being ready, in words.
  var unreadiness: [String: String] { links.compactMapValues(\.unreadiness) }

  /// A pod of the session as the cluster has it, with what admission added to its template.
  func pod(named name: String) -> KubeObject? { objects[name] }

  /// Follows the pods until the task is cancelled; then closes every tunnel.
  func follow() async {
    let events = watch { [events] condition in
      switch condition {
      case .troubled(let error): events.post(.troubled(ErrorMessage(oneLineOf: error).what))
      case .recovered: events.post(.recovered)
      }
    }
    do {
      for try await event in events { apply(event) }
    } catch {
      // A persistent watch ends by cancellation alone. If it did not, the tunnels are still of use.
      if !Task.isCancelled { self.events.post(.troubled(ErrorMessage(oneLineOf: error).what)) }
    }
    await Self.cancelled()
    for connection in connections.values { connection.cancel() }
    for connection in connections.values { await connection.value }
    await logs?.end()
    tunnels.finish()
    self.events.finish()
    unready.finish()
  }

  private func apply(_ event: WatchEvent) {
    switch event {
    case .snapshot(let pods):
      let present = Set(pods.map(\.name))
      for name in objects.keys where !present.contains(name) { gone(name) }
      for pod in pods { update(pod) }
    case .added(let pod), .modified(let pod): update(pod)
    case .deleted(let pod): gone(pod.name)
    }
  }

  private func update(_ pod: KubeObject) {
    guard pod.session == session else { return }
    let name = pod.name
    // Its deletion may have been missed.
    if let known = objects[name], known.uid != pod.uid { gone(name) }
    objects[name] = pod
    logs?.update(pod)
    links[name, default: PodLink()].waitsFor = nil
    noteReadiness(of: pod)
    switch PodState(pod: pod, container: container) {
    case .running:
      if connections[name] == nil { connections[name] = Task { await self.keepConnected(name) } }
    case .pending(let why):
      links[name]?.waitsFor = why
      announce(.waiting(pod: name, why: why), why)
    case .hopeless(let why):
      links[name]?.waitsFor = why
      announce(.hopeless(pod: name, why: why), why)
    case .rejected(let why):
      links[name]?.waitsFor = why
      ending.insert(name)
      announce(.rejected(pod: name, why: why), why)
    case .ending:
      links[name]?.waitsFor = "it is ending"
      ending.insert(name)
    }
  }

  /// Sends an event of a pod without a tunnel, unless the last one said the same.
  private func announce(_ event: AgentEvent, _ words: String) {
    guard let pod = event.pod, announced.updateValue(words, forKey: pod) != words else { return }
    reporter.report(.detail("pod/\(pod): \(words)"))
    events.post(event)
  }

  /// A pod that is not ready, though its container runs.
  struct Unready: Sendable, Hashable {
    /// The pod's name.
    var pod: String
    /// What keeps it from being ready, in the cluster's words.
    var why: String
  }

  private func noteReadiness(of pod: KubeObject) {
    let why = PodState.unreadiness(of: pod, container: container)
    let isNews = links[pod.name]?.unreadiness != why
    links[pod.name]?.unreadiness = why
    guard isNews else { return }
    _ = unready.takeBack { $0.pod == pod.name }
    if let why { unready.send(Unready(pod: pod.name, why: why)) }
  }

  private func gone(_ name: String) {
    if let pod = objects.removeValue(forKey: name) { logs?.remove(pod) }
    links[name] = nil
    announced[name] = nil
    ending.remove(name)
    connections.removeValue(forKey: name)?.cancel()
    events.post(.gone(pod: name))
    _ = events.takeBack { $0.pod == name }
    _ = unready.takeBack { $0.pod == name }
  }

  /// Waits until a tunnel is over, for whatever reason.
  private static func closed(_ tunnel: Tunnel) async {
    await withCheckedContinuation { closed in tunnel.closed.whenComplete { _ in closed.resume() } }
  }

  /// Waits until the task is cancelled.
  private static func cancelled() async {
    let (stream, continuation) = AsyncStream<Never>.makeStream()
    for await _ in stream {}
    continuation.finish()
  }

  /// Connects to a pod's agent, again and again as long as the pod is to run.
  private func keepConnected(_ pod: String) async {
    var retry = ConnectRetry()
    var hasWarned = false
    while !Task.isCancelled, !ending.contains(pod) {
      let pause: Duration
      do {
        let tunnel = try await connect(pod)
        let start = ContinuousClock.now
        attached(tunnel, pod)
        await withTaskCancellationHandler {
          await Self.closed(tunnel)
        } onCancel: {
          Task { await tunnel.close() }
        }
        tunnels.detach(tunnel)
        if Task.isCancelled { return }
        links[pod]?.detach(tunnel)
        if ending.contains(pod) { return }
        let life = ContinuousClock.now - start
        if life >= ConnectRetry.stableLife { hasWarned = false }
        broke(pod, isRepeated: hasWarned)
        hasWarned = true
        pause = retry.broke(after: life, jitter: .random(in: 0...1))
      } catch {
        if Task.isCancelled { return }
        pause = retry.failed(ConnectRetry.Failure(error, pod: pod), jitter: .random(in: 0...1))
        let words = retry.isStarting ? "the agent in it does not listen yet" : ErrorMessage(oneLineOf: error).what
        failed(pod, error, words, isRefused: retry.isRefused)
      }
      do { try await Task.sleep(for: pause) } catch { return }
    }
  }

  private func attached(_ tunnel: Tunnel, _ pod: String) {
    tunnels.attach(tunnel, pod: pod)
    links[pod]?.attach(tunnel)
    announced[pod] = nil
    events.post(.attached(pod: pod))
    reporter.report(.detail("pod/\(pod): the tunnel is up"))
  }

  private func broke(_ pod: String, isRepeated: Bool) {
    let words = "the tunnel to it broke"
    links[pod]?.failure = words
    announce(.waiting(pod: pod, why: words), words)
    if !isRepeated {
      reporter.report(.warning(ErrorMessage("the tunnel to pod/\(pod) broke; connecting again")))
    }
  }

  private func failed(_ pod: String, _ error: any Error, _ words: String, isRefused: Bool) {
    links[pod]?.failure = words
    // What keeps the container from running says more than that it cannot be connected to.
    guard links[pod] != nil, links[pod]?.waitsFor == nil else { return }
    if isRefused {
      announce(.unreachable(pod: pod, error: error), "refused: \(words)")
    } else {
      announce(.waiting(pod: pod, why: words), words)
    }
  }
}

extension Broadcast<AgentEvent> {
  /// Sends an event in place of the last one about the same pod, or about the watch.
  fileprivate func post(_ event: AgentEvent) {
    _ = takeBack { $0.pod == event.pod }
    send(event)
  }
}
