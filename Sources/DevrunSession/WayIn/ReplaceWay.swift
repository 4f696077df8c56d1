internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunPlan
internal import DevrunSystem
internal import DevrunWorkload

/// The way in `replace`: while it is set up, the agent runs in the place of the target's container, and what the cluster
/// sends to the target's ports comes here.
///
/// It is set up when the command first listens, and stays until the command ends, also while its server is stopped.
struct ReplaceWay: Sendable {
  /// The session's parts.
  let context: SessionContext
  /// The Deployment.
  let workload: Workload
  /// The container that is replaced, and its ports.
  let choice: ContainerChoice
  /// When it is set up.
  let takeOver: TakeOver
  /// The ConfigMaps that hold the agent.
  let payload: PayloadConfigMaps
  /// Gathers the session's state.
  let diagnosis: StateCollector
  /// Learns of the tunnels to the pods that are replaced.
  let replaced: ReplacedPods

  private let changes = Broadcast<RedirectWatch.Event>()

  init(
    context: SessionContext, workload: Workload, choice: ContainerChoice, takeOver: TakeOver,
    payload: PayloadConfigMaps, diagnosis: StateCollector, replaced: ReplacedPods
  ) {
    self.context = context
    self.workload = workload
    self.choice = choice
    self.takeOver = takeOver
    self.payload = payload
    self.diagnosis = diagnosis
    self.replaced = replaced
  }

  private var what: String { "deployment/\(workload.name)" }
  private var reporter: any Reporter { context.reporter }

  /// The local ports on which the command is expected to listen.
  var localPorts: Set<UInt16> { Set(choice.ports.map(\.local)) }

  /// Before the command starts: sets the way in up if that is asked for now.
  ///
  /// - Throws: as `takeTraffic`
  func begin() async throws {
    if takeOver == .now { try await takeTraffic() }
  }

  /// While the command runs: sets the way in up when it listens, and reports what others do to it.
  ///
  /// - Throws: as `takeTraffic`; `SessionError.trafficLost` if others removed it, and it was asked for from the start.
  func follow(_ listeners: AsyncStream<ListenEvent>) async throws {
    let began = Latch<Void>()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        let report = ListenReport(of: choice.ports, isTaken: takeOver == .now, reporter: reporter)
        await report.follow(listeners) { began.set(()) }
      }
      if takeOver == .now {
        group.addTask { try await endWhenLost() }
      } else {
        group.addTask { if await began.wait() != nil { try await takeTraffic() } }
      }
      // The first that fails ends the others.
      while try await group.next() != nil {}
    }
  }

  /// - Parameter whileStarting: whether the deletion of the Deployment counts too: then no tunnel will come.
  private func endWhenLost(whileStarting: Bool = false) async throws {
    for await change in changes.stream() {
      switch change {
      case .removed(let who): throw SessionError.trafficLost(what, by: who)
      case .deleted where whileStarting: throw SessionError.trafficLost(what, by: nil)
      case .setAgain, .paused, .deleted, .troubled: continue
      }
    }
  }

  /// Puts the agent in the container's place, and waits for the first tunnel. How that is undone is registered first.
  ///
  /// - Throws: `WorkloadError`, `KubeError`, `SessionError`
  private func takeTraffic() async throws {
    reporter.report(.step("redirecting \(what)"))
    let (namespace, session, name) = (context.namespace, context.name, workload.name)
    let (urgency, reporter, services) = (context.urgency, reporter, context.services)
    let access = AgentAccess.random(avoiding: workload.template)
    let agent = AgentTemplate(
      session: session, container: choice.name, payload: payload, access: access.ports,
      secretDigest: access.secretDigest, ports: choice.ports.map(\.remote))
    let swap = DeploymentRedirect(
      in: namespace, agent: agent, holder: context.holder, since: SessionContext.now(),
      restoreCommand: context.restoreCommand)
    let restore = DeploymentRestore(of: name, in: namespace)
    let (patience, path, losses, what) = (context.patience, namespace.deployments.named(name), context.losses, what)
    let before = Availability(of: workload.object)
    let stop: @Sendable () async throws -> Void = {
      reporter.report(.step("restoring \(what)"))
      let restored =
        try await patience.persist(unless: losses) {
          try await restore.run(session: session, urgency: urgency)
        } ?? false
      if restored {
        var after: Availability?
        do {
          after = try await Availability.ofApp(in: namespace, deployment: name)
        } catch {
          // The restore is done; this is a word more.
          reporter.report(.detail("the pods of \(what) cannot be counted: \(error)"))
        }
        reporter.report(.fact(Availability.wordsAfterRestore(of: what, before: before, after: after)))
      }
    }
    let starting = Patience(limit: context.startTimeout, reporter: reporter, urgency: urgency)
    try await services.start("restoring \(what)", stop: stop) {
      try await starting.persist { [workload] in
        // An attempt whose answer was lost has done it.
        var present = workload
        present.object = try await namespace.client.get(path)
        if present.object.template.session == session { return }
        try await swap.checkNobodyElse(of: present, reporter: reporter)
        // A request that may have been carried out could not be told from one that was not.
        let found = present
        _ = try await withoutCancellation { try await swap.apply(to: found) }
      }
      try Task.checkCancellation()
    }

    // Where a network policy asks for the app's labels, the session's own pod has them too.
    let pods = AgentPods(
      in: namespace, labelSelector: "\(workload.labelSelector),!\(SessionMark.key)", session: session,
      container: choice.name,
      reporter: reporter, connect: context.connecting(access, to: choice.ports))
    await diagnosis.following(pods)
    replaced.set(pods.tunnels)
    await services.inBackground("closing the tunnels") { await pods.follow() }
    let (watch, changes) = (RedirectWatch(of: name, in: namespace, agent: agent, session: session), changes)
    await services.inBackground("watching \(what)") {
      defer { changes.finish() }
      try await watch.run { changes.send($0) }
    }
    await services.inBackground("reporting what others change") { [self] in await reportChanges() }
    guard try await isAttached(to: pods) else { return }
    await services.inBackground("watching the pods of \(what)") { await pods.reportTrouble(to: reporter) }
    await services.inBackground("watching whether the pods of \(what) get ready") {
      await UnreadyReport(reporter: reporter).follow(pods)
    }
    for port in choice.ports { reporter.report(.fact("\(what) port \(port.remote) -> localhost:\(port.local)")) }
    if choice.ports.isEmpty {
      reporter.report(.fact("\(what) is replaced; no port is redirected (name one with --port)"))
    }
    reporter.report(.idle)
  }

  /// Waits for the first tunnel.
  ///
  /// - Returns: whether there is one; else somebody removed the redirection meanwhile, and the command goes on without it.
  private func isAttached(to pods: AgentPods) async throws -> Bool {
    do {
      try await FirstTunnel(to: what, context: context, endsWhenHopeless: false).wait(for: pods) { reason in
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await conditions(reason) }
          group.addTask { try await endWhenLost(whileStarting: true) }
          while try await group.next() != nil {}
        }
      }
      return true
    } catch let error as SessionError {
      // What was lost is reported by `reportChanges`.
      guard case .trafficLost = error, takeOver != .now else { throw error }
      return false
    }
  }

  /// What the Deployment's controller says: a quota or a policy refuses its pods.
  private func conditions(_ reason: @escaping FirstTunnel.Reason) async throws {
    let path = context.namespace.deployments.named(workload.name)
    let events = context.namespace.client.persistentWatch(object: path) { condition in
      if case .troubled(let error) = condition { reason(ErrorMessage(oneLineOf: error).what) }
    }
    for try await event in events {
      let deployments: [KubeObject] =
        switch event {
        case .snapshot(let all): all
        case .added(let deployment), .modified(let deployment): [deployment]
        case .deleted: []
        }
      if let why = deployments.first?.message(ofCondition: "ReplicaFailure", being: "True") { reason(why) }
    }
  }

  private func reportChanges() async {
    for await change in changes.stream() {
      switch change {
      case .setAgain(let who):
        reporter.report(
          .waiting("\(who ?? "somebody") changed \(what); devrun's part is set again, and the change stays"))
      case .removed(let who):
        guard takeOver != .now else { continue }
        reporter.report(.warning(SessionError.trafficLost(what, by: who).message))
      case .troubled(let why):
        reporter.report(.warning(ErrorMessage("devrun's part of \(what) cannot be set again yet", why: why)))
      case .deleted:
        context.losses.note(what)
        reporter.report(.warning(ErrorMessage("\(what) was deleted while it was redirected")))
      case .paused:
        reporter.report(.warning(ErrorMessage("\(what) is paused: it takes up no changes until it is resumed")))
      }
    }
  }
}
