internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunPlan
internal import DevrunView
internal import DevrunWorkload

/// What a session is aimed at, found and checked before anything is written.
enum SessionTarget: Sendable {
  /// A workload, and which of its containers.
  case workload(Workload, ContainerChoice)
  /// Nothing that runs: a pod on some image.
  case none(OwnPods.Carrier, ContainerChoice)

  /// The container, and the ports.
  var choice: ContainerChoice {
    switch self {
    case .workload(_, let choice), .none(_, let choice): choice
    }
  }

  /// Whether the container has variables that list the services of its namespace.
  var hasServiceLinks: Bool {
    if case .workload(let workload, _) = self { workload.template.hasServiceLinks } else { true }
  }

  /// Finds what the options name, and refuses what cannot be done.
  ///
  /// - Throws: `WorkloadError`, `KubeError`, `LocalEnvError`
  static func find(_ options: SessionOptions, in context: SessionContext) async throws -> SessionTarget {
    let namespace = context.namespace
    async let rights: Void = Rights(in: namespace).checkSessionPod()
    switch options.target {
    case .existing(let reference):
      let found = try await TargetKinds.workload(reference, in: namespace)
      try await rights
      // Beside another's session, the pod is made of what the team wrote.
      let workload = try found.withoutAgent()
      if let named = workload.namedBy {
        context.reporter.report(.detail("\(named) is deployment/\(workload.name)"))
      }
      let choice = try ContainerChoice.choose(named: options.container, ports: options.ports, in: workload)
      try await options.checkPodPorts(of: workload, choice, in: namespace)
      try await checkVolumes(of: workload, container: choice.name, options.localEnv, in: namespace)
      if options.takeOver == nil, options.takeOver(of: choice) == .now {
        context.reporter.report(
          .waiting(
            "container \(choice.name) has no ports, so deployment/\(workload.name) is replaced before the command "
              + "starts; --take-over never leaves it alone"))
      }
      if options.takeOver(of: choice) != nil { try await checkTakeOver(of: found, in: context) }
      return .workload(workload, choice)
    case .newPod(let image):
      try await rights
      let carrier = try await OwnPods(in: namespace).carrier(image: image)
      if let from = carrier.pod {
        context.reporter.report(.detail("the image is \(carrier.image), as in pod/\(from)"))
      }
      return .none(carrier, ContainerChoice(name: OwnPods.container, ports: options.ports))
    }
  }

  /// Makes sure, before the command starts, that the target's traffic could be taken and given back.
  private static func checkTakeOver(of workload: Workload, in context: SessionContext) async throws {
    try await Rights(in: context.namespace).checkReplace(of: workload.name)
    try DeploymentRedirect.check(workload.object, restoreCommand: context.restoreCommand)
    for warning in GitOps.warnings(for: workload.object) { context.reporter.report(.warning(warning)) }
  }

  /// Reports a file that asks for a volume which the pods do not have, if a pod runs to look at: some volumes (the
  /// service account's) are in no template.
  private static func checkVolumes(
    of workload: Workload, container: String, _ localEnv: LocalEnvFile, in namespace: Namespace
  ) async throws {
    guard !localEnv.volumeReferences.isEmpty else { return }
    let pods = try await namespace.client.list(namespace.pods, labelSelector: workload.labelSelector).items
    guard let pod = pods.first else { return }
    _ = try localEnv.volumes(in: ContainerVolumes(of: pod, container: container).volumes.map(\.name))
  }
}

extension SessionOptions {
  /// When the traffic of the container's ports is taken; `nil` if it is not.
  func takeOver(of choice: ContainerChoice) -> TakeOver? {
    switch takeOver ?? (choice.ports.isEmpty ? .now : .listen) {
    case .never: nil
    case let other: other
    }
  }
}
