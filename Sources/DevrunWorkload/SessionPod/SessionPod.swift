internal import DevrunCore
package import DevrunKube

/// A pod of a session's own, made from a workload's pod template: it gives the command the target container's
/// environment and volumes, and its way out into the cluster. Only the agent runs in it.
///
/// The pod disturbs nobody: nothing that is in the namespace takes it for one of the app's pods, it needs next to no
/// resources, and it takes no volume away from the app.
package struct SessionPod: Sendable {
  /// The fields of a pod's spec that stay. The others start something, take part in the app's placement, or are the
  /// controllers' own.
  private static let kept = [
    "serviceAccountName", "serviceAccount", "automountServiceAccountToken", "securityContext", "imagePullSecrets",
    "nodeSelector", "nodeName", "tolerations", "runtimeClassName", "dnsPolicy", "dnsConfig", "hostAliases",
    "hostNetwork",
    "hostUsers", "hostname", "subdomain", "setHostnameAsFQDN", "os",
  ]
  /// The fields of a container that stay as they are.
  private static let keptOfContainer = [
    "name", "image", "imagePullPolicy", "envFrom", "securityContext", "workingDir",
  ]

  private let workload: Workload
  private let agent: AgentTemplate
  private let surroundings: SessionPodSurroundings
  private let labels: SessionPodLabels
  private let annotations: [String: String]
  private let volumes: SessionPodVolumes
  private let environment: SessionPodEnvironment
  private let resources: SessionPodResources

  /// A pod for a workload.
  ///
  /// - Parameters:
  ///   - workload: the workload.
  ///   - agent: how the agent gets into it.
  ///   - volumes: the names of volumes that are needed even where they cannot be shared.
  ///   - surroundings: what else is in the namespace.
  package init(
    of workload: Workload, agent: AgentTemplate, named volumes: Set<String>, surroundings: SessionPodSurroundings
  ) {
    let template = workload.template
    let container = template.container(named: agent.container) ?? Container([:])
    self.workload = workload
    self.agent = agent
    self.surroundings = surroundings
    labels = SessionPodLabels(of: workload, surroundings: surroundings)
    annotations = SessionPodAnnotations.kept(of: template, container: agent.container)
    self.volumes = SessionPodVolumes(of: template, container: container, named: volumes, surroundings: surroundings)
    environment = SessionPodEnvironment(
      of: template, container: container, labels: labels.labels, annotations: annotations)
    resources = SessionPodResources(
      of: container, isQuoted: environment.quotesResources || self.volumes.quoteResources,
      limits: surroundings.limits)
  }

  /// The pod's name: the target's, `devrun` and the session's, at most 63 characters of a DNS label.
  package static func name(target: String, session: String) -> String {
    let ending = "devrun-\(session)"
    let room = max(0, 63 - ending.utf8.count - 1)
    // A Deployment's name may have dots; a host name may not.
    let beginning = target.replacing(".", with: "-").prefix(room).reversed().drop { $0 == "-" }.reversed()
    return beginning.isEmpty ? ending : String(beginning) + "-" + ending
  }

  /// What the pod does not have of the template, one sentence each.
  package var omissions: [String] {
    volumes.omissions + environment.omissions + resources.omissions + labels.omissions + portOmissions
  }

  /// Whether the pod can become Ready: not where a network policy needs labels by which others select it.
  package var becomesReady: Bool { !labels.areSelected }

  /// The pod as it is to be created.
  ///
  /// - Throws: `WorkloadError.noSuchContainer`, `.otherArchitecture`
  package func object(named name: String, in namespace: String) throws(WorkloadError) -> KubeObject {
    let template = workload.template
    guard let container = template.container(named: agent.container) else {
      throw .noSuchContainer(agent.container, available: template.containers.map(\.name))
    }
    if let wanted = surroundings.architecture, wanted != agent.payload.architecture {
      throw .otherArchitecture(wanted: wanted, payload: agent.payload.architecture)
    }
    if let system = surroundings.operatingSystem, system != "linux" {
      throw .otherArchitecture(wanted: system, payload: "linux")
    }
    var pod: KubeObject = ["apiVersion": "v1", "kind": "Pod"]
    pod.metadata = ["name": .string(name), "namespace": .string(namespace)]
    pod.labels = labels.labels
    pod.labels[SessionMark.key] = agent.session
    pod.annotations = annotations
    pod.annotations[SessionMark.key] = agent.session
    for field in Self.kept { pod.spec[field] = template.spec[field] }
    pod.spec["enableServiceLinks"] = .bool(environment.quotesServices && template.hasServiceLinks)
    pod.spec["restartPolicy"] = "Always"
    pod.spec["terminationGracePeriodSeconds"] = 2
    pod.spec["nodeSelector"] = try agent.pinned(template)
    pod.spec["affinity"] = affinity(template.spec["affinity"]?["nodeAffinity"])
    pod.containers = [made(from: container)]
    pod.volumes = volumes.volumes + agent.volumes
    return pod
  }

  private func made(from original: Container) -> Container {
    var container = Container([:])
    for field in Self.keptOfContainer { container.json[field] = original.json[field] }
    container.json["env"] = environment.variables.isEmpty ? nil : .array(environment.variables)
    container.json["ports"] = ports(original)
    container.json["resources"] = resources.json
    container.volumeMounts = volumes.mounts
    var agent = agent
    if isOnHostNetwork { agent.ports = [] }
    container = agent.starting(container, options: becomesReady ? [.probePort] : [])
    container.json["readinessProbe"] =
      becomesReady ? AgentProbes.attached(access: agent.access) : AgentProbes.never(access: agent.access)
    return container
  }

  private var isOnHostNetwork: Bool { workload.template.spec["hostNetwork"]?.bool == true }

  /// The ports as declared, none of them the node's. On the node's network each declared port would be.
  private func ports(_ container: Container) -> JSONValue? {
    guard !isOnHostNetwork, let ports = container.json["ports"]?.array else { return nil }
    return .array(
      ports.map { port in
        var port = port
        port["hostPort"] = nil
        port["hostIP"] = nil
        return port
      })
  }

  private var portOmissions: [String] {
    guard isOnHostNetwork, !agent.ports.isEmpty else { return [] }
    let ports = agent.ports.map { "\($0)" }.joined(separator: ", ")
    return ["the session's pod does not listen on \(ports): it shares its node's network with the app"]
  }

  /// The template's node affinity, and the node where the named volumes can be mounted.
  private func affinity(_ nodeAffinity: JSONValue?) -> JSONValue? {
    guard volumes.needNode, let node = surroundings.node else { return nodeAffinity.map { ["nodeAffinity": $0] } }
    let field: JSONValue = ["key": "metadata.name", "operator": "In", "values": [.string(node)]]
    let required = "requiredDuringSchedulingIgnoredDuringExecution"
    var affinity = nodeAffinity ?? [:]
    // A node has to fit one of the terms, and all of a term.
    let terms = affinity[required]?["nodeSelectorTerms"]?.array ?? [[:]]
    affinity[required] = [
      "nodeSelectorTerms": .array(
        terms.map { term in
          var term = term
          term["matchFields"] = .array((term["matchFields"]?.array ?? []) + [field])
          return term
        })
    ]
    return ["nodeAffinity": affinity]
  }
}
