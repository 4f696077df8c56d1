internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunTunnel
internal import DevrunView
internal import DevrunWorkload

/// The session's own pod, with a tunnel to the agent in it.
struct StartedPod: Sendable {
  /// Follows the pod.
  var pods: AgentPods
  /// The pod as the cluster has it, with what admission added to it.
  var object: KubeObject
  /// What the session is aimed at.
  var target: SessionTarget
  /// The ConfigMaps that hold the agent.
  var payload: PayloadConfigMaps
  /// The cluster's services.
  var services: SeenServices

  /// The container that the agent is in.
  var container: String { target.choice.name }
}

/// Starts the session's own pod: nothing else in the cluster is written for it, apart from the ConfigMaps that carry the
/// agent.
struct PodStart: Sendable {
  var context: SessionContext
  var payload: Payload
  var diagnosis: StateCollector
  /// What the files that name volumes say.
  var localEnv: LocalEnvFile
  /// Whether connections to the pod's own address come here.
  var receives: Bool

  private var namespace: Namespace { context.namespace }

  /// Creates the pod and waits for the first tunnel to it.
  ///
  /// - Throws: `SessionError`, `WorkloadError`, `KubeError`
  func start(_ target: SessionTarget, services: SeenServices) async throws -> StartedPod {
    let name = name(for: target)
    context.reporter.report(.step("starting pod/\(name)"))
    let delivery = PayloadDelivery(
      of: payload, by: PayloadUpload(in: namespace, session: context.name, holder: context.holder))
    let template: KubeObject = if case .workload(let workload, _) = target { workload.template } else { [:] }
    let access = AgentAccess.random(avoiding: template)
    var made = AgentTemplate(
      session: context.name, container: target.choice.name, payload: delivery.names, access: access.ports,
      secretDigest: access.secretDigest, ports: receives ? target.choice.ports.map(\.remote) : [])
    made.portsAreOptional = true
    let agent = made
    try agent.check(template)

    let (reporter, patience, losses) = (context.reporter, context.patience, context.losses)
    let starting = Patience.ofTheStart(context)
    async let object = starting.persist { try await self.object(named: name, for: target, agent: agent) }
    try await context.services.start(
      "deleting the agent's ConfigMaps", isNeededByRest: true,
      stop: { _ = try await patience.persist(unless: losses) { try await delivery.end() } }
    ) {
      // Not shielded from cancellation: on a slow line it takes minutes.
      try await starting.persist { try await delivery.begin() }
    }

    let steps = steps(for: try await object, delivery)
    try await context.services.start(
      "deleting pod/\(name)",
      stop: { _ = try await patience.persist(unless: losses) { try await steps.remove() } }
    ) {
      try Task.checkCancellation()
      try await starting.persist { try await withoutCancellation { try await steps.create() } }
      try Task.checkCancellation()
    }
    let pods = AgentPods(
      in: namespace, labelSelector: "\(SessionMark.key)=\(context.name)", session: context.name,
      container: target.choice.name, reporter: reporter,
      connect: context.connecting(access, to: receives ? target.choice.ports : []))
    await diagnosis.following(pods)
    await context.services.inBackground("closing the tunnel") { await pods.follow() }
    try await FirstTunnel(to: "pod/\(name)", context: context, endsWhenHopeless: true).wait(for: pods)

    guard let pod = await pods.pod(named: name) else {
      throw SessionError.agentFailed(pod: name, why: "it was deleted")
    }
    await context.services.inBackground("watching pod/\(name)") { await pods.reportTrouble(to: reporter) }
    let upkeep = PodUpkeep(name: name, steps: steps, reporter: reporter, losses: losses)
    await context.services.inBackground("keeping pod/\(name)") { try await upkeep.run(pods) }
    let started = StartedPod(pods: pods, object: pod, target: target, payload: delivery.names, services: services)
    if receives {
      let closed = try await started.forbiddenPorts(context)
      if !closed.isEmpty { reporter.report(.warning(SessionError.portsForbidden(closed, leavesTraffic: true).message)) }
      for port in target.choice.ports where !closed.contains(port.remote) {
        reporter.report(.fact("pod/\(name) port \(port.remote) -> localhost:\(port.local)"))
      }
    }
    return started
  }

  /// What is done in the cluster for the pod, now and later.
  private func steps(for pod: KubeObject, _ delivery: PayloadDelivery) -> PodUpkeep.Steps {
    let namespace = namespace
    return PodUpkeep.Steps(
      restorePayload: { try await delivery.restore() },
      create: {
        do {
          try await namespace.client.create(pod, in: namespace.pods)
        } catch let error as KubeError where error.isAlreadyExists {
          return
        }
      }, remove: { try await OwnPods(in: namespace).remove(pod.name) })
  }

  private func name(for target: SessionTarget) -> String {
    switch target {
    case .workload(let workload, _): SessionPod.name(target: workload.name, session: context.name)
    case .none: "devrun-\(context.name)"
    }
  }

  private func object(named name: String, for target: SessionTarget, agent: AgentTemplate) async throws -> KubeObject {
    switch target {
    case .none(let carrier, let choice):
      return try OwnPods(in: namespace).pod(
        named: name, on: carrier, ports: choice.ports.map(\.remote), agent: agent, holder: context.holder)
    case .workload(let workload, let choice):
      let volumes = ContainerVolumes(of: workload.template, container: choice.name).volumes.map(\.name)
      let named = volumes.filter { name in localEnv.volumeReferences.contains { $0.pattern.matches(name) } }
      let pod = SessionPod(
        of: workload, agent: agent, named: Set(named),
        surroundings: try await SessionPodSurroundings.read(in: namespace, for: workload))
      for omission in pod.omissions { context.reporter.report(.warning(ErrorMessage(omission))) }
      var object = try pod.object(named: name, in: namespace.name)
      object.annotations[SessionMark.holder] = context.holder
      object.annotations[SessionMark.target] = "deployment/\(workload.name)"
      return object
    }
  }
}

extension SessionContext {
  /// How a tunnel to a pod's agent is made.
  func connecting(_ access: AgentAccess, to ports: [PortMapping]) -> AgentPods.Connect {
    let (namespace, loop) = (namespace, loop)
    let inbound = InboundDialer(
      localPorts: Dictionary(ports.map { (Int($0.remote), Int($0.local)) }, uniquingKeysWith: { first, _ in first }))
    return { pod in
      try await Tunnel.connect(secret: access.secret, inbound: inbound, on: loop) { configure in
        try await namespace.client.portForward(
          namespace: namespace.name, pod: pod, port: access.ports.control, on: loop, configure: configure)
      }
    }
  }
}
