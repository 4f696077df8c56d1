internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunTunnel
internal import DevrunView
internal import DevrunWorkload
internal import Foundation
internal import NIOCore

/// The agents in their place, each with a tunnel.
struct PlacedAgents: Sendable {
  var pods: AgentPods
  /// The first tunnel.
  var tunnel: Tunnel
  /// A pod with an agent, as the cluster has it.
  var pod: KubeObject
  /// The container that the agent is in.
  var container: String
  /// What is redirected, as `kind/name`.
  var target: String
  /// The redirected ports.
  var ports: [PortMapping]
  /// What the user is told once the command is about to start.
  var facts: [String]
}

/// Gets the agent into the cluster and a tunnel to each: into a workload's pods, or a pod of its own.
struct AgentPlacement: Sendable {
  var context: SessionContext
  /// The container that the user named.
  var container: String?
  /// The ports that the user named.
  var ports: [PortMapping]
  /// The files that name volumes.
  var localEnv: LocalEnvFile
  var payload: Payload
  /// The event loop of the tunnels.
  var loop: any EventLoop
  var diagnosis: StateCollector

  private var namespace: Namespace { context.namespace }
  private var reporter: any Reporter { context.reporter }
  private var teardown: Teardown { context.teardown }

  /// Puts the agent where the options say.
  ///
  /// - Throws: `SessionError`, `WorkloadError`, `KubeError`, `TunnelError`
  func place(_ target: SessionOptions.Target) async throws -> PlacedAgents {
    switch target {
    case .existing(let reference): try await redirect(reference)
    case .copy(let reference): try await createCopy(of: reference)
    case .newPod(let image): try await createPod(image: image)
    }
  }

  // MARK: - A workload's pods

  private func redirect(_ reference: TargetReference) async throws -> PlacedAgents {
    async let rights: Void = Rights(in: namespace).checkRedirect()
    let workload = try await TargetKinds.workload(reference, in: namespace)
    try await rights
    try DeploymentRedirect.check(workload.object)
    let choice = try await choose(from: workload)
    if let named = workload.namedBy { reporter.report(.detail("\(named) is deployment/\(workload.name)")) }
    for warning in GitOps.warnings(for: workload.object) { reporter.report(.warning(warning)) }

    reporter.report(.step("redirecting deployment/\(workload.name)"))
    let access = AgentAccess.random(avoiding: workload.template)
    let agent = try await upload(access, container: choice, owner: workload.object)
    let pods = await follow(workload.labelSelector, container: choice, access: access)

    let restore = DeploymentRestore(of: workload.name, in: namespace)
    let (session, urgency, reporter) = (context.name, context.urgency, reporter)
    await teardown.add("restoring deployment/\(workload.name)") {
      let restored = try await reporter.reportingRetries {
        try await restore.run(session: session, urgency: urgency, reporter: reporter)
      }
      if restored { reporter.report(.fact("deployment/\(workload.name) is restored")) }
    }
    let swap = DeploymentRedirect(in: namespace, agent: agent, holder: context.holder, since: Self.now())
    // A request that may have been carried out could not be told from one that was not.
    let changed = try await withoutCancellation { try await swap.apply(to: workload) }
    try Task.checkCancellation()

    let rollout = Rollout(of: workload.name, in: namespace)
    try await pods.whileHealthy { try await rollout.awaitCompletion(generation: changed.generation) }
    let placed = try await placed(pods, choice, what: "deployment/\(workload.name)")
    let revert = RevertWatch(of: workload.name, in: namespace, session: session, reporter: reporter)
    await teardown.inBackground("watching deployment/\(workload.name)") { try await revert.run() }
    return placed
  }

  /// The container to replace, and its ports.
  private func choose(from workload: Workload) async throws -> ContainerChoice {
    let choice = try ContainerChoice.choose(
      named: container, ports: ports, servicePorts: workload.servicePorts, template: workload.template)
    try await checkVolumes(of: workload, container: choice.name)
    return choice
  }

  /// Reports a file that asks for a volume which the pods do not have, before anything is changed, if a pod runs to look
  /// at: some volumes (the service account's) are in no template.
  private func checkVolumes(of workload: Workload, container: String) async throws {
    guard !localEnv.volumeReferences.isEmpty else { return }
    let pods = try await namespace.client.list(namespace.pods, labelSelector: workload.labelSelector).items
    guard let pod = pods.first else { return }
    _ = try localEnv.volumes(in: ContainerVolumes(of: pod, container: container).volumes.map(\.name))
  }

  // MARK: - A pod of its own

  /// A pod with the container of a workload alone: its image, environment and volumes. No Service selects it, and nothing
  /// starts in it but the agent.
  private func createCopy(of reference: TargetReference) async throws -> PlacedAgents {
    try await Rights(in: namespace).checkNewPod()
    let workload = try await TargetKinds.workload(reference, in: namespace)
    let choice = try await choose(from: workload)
    let surroundings = try await SessionPodSurroundings.read(in: namespace, for: workload)
    return try await create(choice, avoiding: workload.template) { name, agent in
      let patterns = localEnv.volumeReferences.map(\.pattern)
      let volumes = workload.template.volumes.compactMap { $0["name"]?.string }
      let named = Set(volumes.filter { name in patterns.contains { $0.matches(name) } })
      let pod = SessionPod(of: workload, agent: agent, named: named, surroundings: surroundings)
      for omission in pod.omissions { reporter.report(.warning(ErrorMessage(omission))) }
      return try pod.object(named: name, in: namespace.name)
    }
  }

  private func createPod(image: String?) async throws -> PlacedAgents {
    try await Rights(in: namespace).checkNewPod()
    let ownPods = OwnPods(in: namespace)
    let carrier = try await ownPods.carrier(image: image)
    if let from = carrier.pod { reporter.report(.detail("the image is \(carrier.image), as in pod/\(from)")) }
    let choice = ContainerChoice(name: OwnPods.container, ports: ports)
    return try await create(choice, avoiding: [:]) { name, agent in
      try ownPods.pod(named: name, on: carrier, ports: choice.ports.map(\.remote), agent: agent)
    }
  }

  /// Makes a pod that goes with the session.
  private func create(
    _ choice: ContainerChoice, avoiding template: KubeObject,
    _ object: (_ name: String, AgentTemplate) throws -> KubeObject
  ) async throws -> PlacedAgents {
    let (urgency, reporter, ownPods) = (context.urgency, reporter, OwnPods(in: namespace))
    let name = "devrun-\(context.name)"
    reporter.report(.step("starting pod/\(name)"))
    let access = AgentAccess.random(avoiding: template)
    let agent = try await upload(access, container: choice, owner: nil)
    let pods = await follow("\(SessionMark.key)=\(context.name)", container: choice, access: access)
    await teardown.add("deleting pod/\(name)") {
      try await reporter.reportingRetries { try await ownPods.remove(name, urgency: urgency) }
    }
    let object = try object(name, agent)
    _ = try await withoutCancellation { try await namespace.client.create(object, in: namespace.pods) }
    try Task.checkCancellation()
    try await pods.awaitFirst()
    return try await placed(pods, choice, what: "pod/\(name)")
  }

  // MARK: - Both

  /// Brings the payload into the cluster.
  private func upload(
    _ access: AgentAccess, container: ContainerChoice, owner: KubeObject?
  ) async throws -> AgentTemplate {
    let upload = PayloadUpload(in: namespace, session: context.name)
    let names = upload.names(of: payload)
    let reporter = reporter
    await teardown.add("deleting the agent's ConfigMaps") {
      try await reporter.reportingRetries { try await upload.delete([names.loader] + names.pieces) }
    }
    try await withoutCancellation { try await upload.create(payload, owner: owner) }
    try Task.checkCancellation()
    return AgentTemplate(
      session: context.name, container: container.name, payload: names, access: access.ports,
      secretDigest: access.secretDigest, ports: container.ports.map(\.remote))
  }

  /// Begins to follow the session's pods, until after all that needs their tunnels is undone.
  private func follow(_ selector: String, container: ContainerChoice, access: AgentAccess) async -> AgentPods {
    let (namespace, loop) = (namespace, loop)
    let inbound = InboundDialer(
      localPorts: Dictionary(
        container.ports.map { (Int($0.remote), Int($0.local)) }, uniquingKeysWith: { first, _ in first }))
    let pods = AgentPods(
      in: namespace, labelSelector: selector, session: context.name, container: container.name, reporter: reporter
    ) { pod in
      try await Tunnel.connect(secret: access.secret, inbound: inbound, on: loop) { configure in
        try await namespace.client.portForward(
          namespace: namespace.name, pod: pod, port: access.ports.control, on: loop, configure: configure)
      }
    }
    await diagnosis.following(pods)
    await teardown.inBackground("closing the tunnels") { await pods.follow() }
    return pods
  }

  private func placed(_ pods: AgentPods, _ choice: ContainerChoice, what: String) async throws -> PlacedAgents {
    guard let tunnel = pods.tunnels.outbound, let name = pods.tunnels.pods.first, let pod = await pods.pod(named: name)
    else { throw SessionError.agentFailed(pod: what, why: "its tunnel broke at once") }
    await teardown.inBackground("watching the pods") { await pods.watchOver() }
    let redirections = choice.ports.map { port in "\(what) port \(port.remote) -> localhost:\(port.local)" }
    let facts =
      redirections.isEmpty ? ["\(what) is connected; no port is redirected (name one with --port)"] : redirections
    return PlacedAgents(
      pods: pods, tunnel: tunnel, pod: pod, container: choice.name, target: what, ports: choice.ports, facts: facts)
  }

  /// Now, as RFC 3339 has it.
  private static func now() -> String { Date.now.formatted(.iso8601) }
}
