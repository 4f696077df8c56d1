internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunTunnel
internal import Foundation
internal import NIOCore

/// Gets the agent into the cluster and a tunnel to each: into a workload's pods, or a pod of its own.
struct AgentPlacement: Sendable {
  var session: Session
  var client: KubeClient
  var payload: Payload
  var group: any EventLoopGroup
  var teardown: Teardown
  var diagnosis: Diagnosis

  /// The agents in their place.
  struct Placed: Sendable {
    var pods: AgentPods
    /// The first tunnel.
    var tunnel: Tunnel
    /// A pod with an agent, as the cluster has it.
    var pod: JSONValue
    /// The container that the agent is in.
    var container: String
    /// What is redirected, as `kind/name`.
    var target: String
    /// The redirected ports.
    var ports: [PortMapping]
    /// What the person is told.
    var facts: [String]
  }

  private var namespace: String { session.access.namespace }
  private var observer: any SessionObserver { session.observer }

  /// Puts the agent where the options say.
  ///
  /// - Throws: `SessionError`, `KubeError`, `TunnelError`
  func place(_ target: SessionOptions.Target) async throws -> Placed {
    switch target {
    case .existing(let reference): try await redirect(reference)
    case .copy(let reference): try await createCopy(of: reference)
    case .newPod(let image): try await createPod(image: image)
    }
  }

  // MARK: - A workload's pods

  private func redirect(_ reference: TargetReference) async throws -> Placed {
    async let rights: Void = Rights(client: client, namespace: namespace).checkRedirect()
    let workload = try await TargetResolution(client: client, namespace: namespace).workload(reference)
    try await rights
    try DeploymentRedirect.check(workload.object, workload)
    let choice = try ContainerChoice.choose(
      named: session.options.container, ports: session.options.ports, servicePorts: workload.servicePorts,
      podSpec: workload.template["spec"] ?? [:])
    try await checkVolumes(of: workload, container: choice.name)
    if let named = workload.namedBy { observer.tell(.detail("\(named) is deployment/\(workload.name)")) }
    for warning in GitOps.warnings(for: workload.object) { observer.tell(.warning(warning)) }

    observer.tell(.step("redirecting deployment/\(workload.name)"))
    let access = AgentAccess.random(avoiding: workload.template)
    let agent = try await upload(access, container: choice, owner: workload.object)
    let pods = await follow(workload.labelSelector, container: choice, access: access)

    let restore = DeploymentRestore(client: client, namespace: namespace, name: workload.name)
    let (name, haste, observer) = (session.name, session.haste, observer)
    await teardown.add("restoring deployment/\(workload.name)") {
      let restored = try await observer.reportingRetries {
        try await restore.run(session: name, haste: haste, observer: observer)
      }
      if restored { observer.tell(.fact("deployment/\(workload.name) is restored")) }
    }
    let swap = DeploymentRedirect(client: client, agent: agent, holder: session.holder, since: Self.now())
    // Not cut off in the middle: a request that may have been carried out could not be told from one that was not.
    let changed = try await Task { try await swap.apply(to: workload) }.value
    try Task.checkCancellation()

    let rollout = Rollout(client: client, namespace: namespace, name: workload.name)
    let generation = changed["metadata"]?["generation"]?.int ?? 0
    try await pods.whileHealthy { try await rollout.awaitCompletion(generation: generation) }
    let placed = try await placed(pods, choice, what: "deployment/\(workload.name)")
    let revert = RevertWatch(
      client: client, namespace: namespace, name: workload.name, session: session.name, observer: observer)
    await inBackground("watching deployment/\(workload.name)") { try await revert.run() }
    return placed
  }

  /// A file that asks for a volume which the pods do not have is told before anything is changed, where a pod runs to
  /// look at: some volumes (the service account's) are in no template.
  private func checkVolumes(of workload: Workload, container: String) async throws {
    guard !session.options.localEnv.volumeReferences.isEmpty else { return }
    let pods = try await client.list(.pods(in: namespace), labelSelector: workload.labelSelector).items
    guard let spec = pods.first?["spec"] else { return }
    let names = ContainerVolumes(podSpec: spec, container: container).volumes.map(\.name)
    _ = try session.options.localEnv.volumes(in: names)
  }

  // MARK: - A pod of its own

  /// A pod with the container of a workload alone: its image, environment and volumes. No Service selects it, and nothing
  /// starts in it but the agent.
  private func createCopy(of reference: TargetReference) async throws -> Placed {
    try await Rights(client: client, namespace: namespace).checkNewPod()
    let workload = try await TargetResolution(client: client, namespace: namespace).workload(reference)
    let choice = try ContainerChoice.choose(
      named: session.options.container, ports: session.options.ports, servicePorts: workload.servicePorts,
      podSpec: workload.template["spec"] ?? [:])
    try await checkVolumes(of: workload, container: choice.name)
    return try await create(choice, avoiding: workload.template) { name, agent in
      try NewPod(client: client, namespace: namespace).copy(of: workload.template, named: name, agent: agent)
    }
  }

  private func createPod(image: String?) async throws -> Placed {
    try await Rights(client: client, namespace: namespace).checkNewPod()
    let newPod = NewPod(client: client, namespace: namespace)
    let carrier = try await newPod.carrier(image: image)
    if let from = carrier.from { observer.tell(.detail("the image is \(carrier.image), as in pod/\(from)")) }
    let choice = ContainerChoice(name: NewPod.container, ports: session.options.ports)
    return try await create(choice, avoiding: [:]) { name, agent in
      try newPod.object(
        named: name, image: carrier.image, pullSecrets: carrier.pullSecrets, ports: choice.ports.map(\.remote),
        agent: agent)
    }
  }

  /// Makes a pod that goes with the session.
  private func create(
    _ choice: ContainerChoice, avoiding template: JSONValue,
    _ object: (_ name: String, AgentTemplate) throws -> JSONValue
  ) async throws -> Placed {
    let (haste, observer, newPod) = (session.haste, observer, NewPod(client: client, namespace: namespace))
    let name = "devrun-\(session.name)"
    observer.tell(.step("starting pod/\(name)"))
    let access = AgentAccess.random(avoiding: template)
    let agent = try await upload(access, container: choice, owner: nil)
    let pods = await follow("\(PayloadUpload.label)=\(session.name)", container: choice, access: access)
    await teardown.add("deleting pod/\(name)") {
      try await observer.reportingRetries { try await newPod.remove(name, haste: haste) }
    }
    let object = try object(name, agent)
    try await Task { _ = try await client.create(object, in: .pods(in: namespace)) }.value
    try Task.checkCancellation()
    try await pods.awaitFirst()
    return try await placed(pods, choice, what: "pod/\(name)")
  }

  // MARK: - Both

  /// Brings the payload into the cluster.
  private func upload(_ access: AgentAccess, container: ContainerChoice, owner: JSONValue?) async throws
    -> AgentTemplate
  {
    let upload = PayloadUpload(client: client, namespace: namespace, session: session.name)
    let names = upload.names(of: payload)
    let observer = observer
    await teardown.add("deleting the agent's ConfigMaps") {
      try await observer.reportingRetries { try await upload.delete([names.loader] + names.pieces) }
    }
    try await Task { try await upload.create(payload, owner: owner) }.value
    try Task.checkCancellation()
    return AgentTemplate(
      session: session.name, container: container.name, payload: names, controlPort: access.controlPort,
      arguments: access.arguments + container.ports.flatMap { ["--port", "\($0.remote)"] })
  }

  /// Begins to follow the session's pods, until after all that needs their tunnels is undone.
  private func follow(_ selector: String, container: ContainerChoice, access: AgentAccess) async -> AgentPods {
    let (client, namespace, loop) = (client, namespace, group.next())
    let inbound = InboundDialer(
      localPorts: Dictionary(
        container.ports.map { (Int($0.remote), Int($0.local)) }, uniquingKeysWith: { first, _ in first }))
    let pods = AgentPods(
      client: client, namespace: namespace, labelSelector: selector, session: session.name, container: container.name,
      observer: observer
    ) { pod in
      try await Tunnel.connect(secret: access.secret, inbound: inbound, on: loop) { configure in
        try await client.portForward(
          namespace: namespace, pod: pod, port: access.controlPort, on: loop, configure: configure)
      }
    }
    await diagnosis.following(pods)
    let following = Task { await pods.follow() }
    await teardown.add("closing the tunnels") {
      following.cancel()
      await following.value
    }
    return pods
  }

  /// Goes on until the session ends. Its failure ends nothing, and is told.
  private func inBackground(_ what: String, _ work: @escaping @Sendable () async throws -> Void) async {
    let observer = observer
    let task = Task {
      do {
        try await work()
      } catch {
        if !Task.isCancelled { observer.tell(.warning(ErrorMessage("\(what) failed", why: "\(error)"))) }
      }
    }
    await teardown.add(what) {
      task.cancel()
      await task.value
    }
  }

  private func placed(_ pods: AgentPods, _ choice: ContainerChoice, what: String) async throws -> Placed {
    guard let tunnel = pods.tunnels.outbound, let name = pods.tunnels.pods.first, let pod = await pods.pod(named: name)
    else { throw SessionError.agentFailed(pod: what, why: "its tunnel broke at once") }
    await inBackground("watching the pods") { await pods.watchOver() }
    let redirections = choice.ports.map { port in "\(what) port \(port.remote) -> localhost:\(port.local)" }
    let facts =
      redirections.isEmpty ? ["\(what) is connected; no port is redirected (name one with --port)"] : redirections
    return Placed(
      pods: pods, tunnel: tunnel, pod: pod, container: choice.name, target: what, ports: choice.ports, facts: facts)
  }

  /// Now, as RFC 3339 has it.
  private static func now() -> String { Date.now.formatted(.iso8601) }
}

/// How devrun and its agents know each other: a port of the pod's loopback that nothing else there uses, and a secret
/// of which the pod's spec holds nothing but the SHA-256.
struct AgentAccess: Sendable {
  var controlPort: UInt16
  var secret: [UInt8]

  /// A new one; the port is none that the pod's containers declare.
  static func random(avoiding template: JSONValue) -> AgentAccess {
    let containers = template["spec"]?["containers"]?.array ?? []
    let taken = Set(containers.flatMap { $0["ports"]?.array ?? [] }.compactMap { $0["containerPort"]?.int })
    var generator = SystemRandomNumberGenerator()
    var port: UInt16
    repeat { port = UInt16.random(in: 20_000..<30_000, using: &generator) } while taken.contains(Int(port))
    return AgentAccess(
      controlPort: port, secret: (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
  }

  /// What the agent is started with.
  var arguments: [String] {
    [
      "--control-port", "\(controlPort)", "--secret-sha256", SecretDigest(of: secret).hexadecimal, "--ready-file",
      AgentTemplate.readyFile,
    ]
  }
}
