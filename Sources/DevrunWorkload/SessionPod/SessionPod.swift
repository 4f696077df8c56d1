internal import DevrunCore
package import DevrunKube

/// A pod of a session's own, made from a workload's pod template.
package struct SessionPod: Sendable {
  private let workload: Workload
  private let agent: AgentTemplate
  private let named: Set<String>
  private let surroundings: SessionPodSurroundings

  /// What the pod does not have of the template, one sentence each.
  package private(set) var omissions: [String] = []

  /// A pod for a workload.
  package init(
    of workload: Workload, agent: AgentTemplate, named volumes: Set<String>, surroundings: SessionPodSurroundings
  ) {
    self.workload = workload
    self.agent = agent
    self.named = volumes
    self.surroundings = surroundings
  }

  /// The pod's name: the target's, `devrun`, and the session's, at most 63 characters.
  package static func name(target: String, session: String) -> String { "\(target)-devrun-\(session)" }

  /// The pod as it is to be created.
  ///
  /// - Throws: `WorkloadError.noSuchContainer`, `.otherArchitecture`
  package func object(named name: String, in namespace: String) throws(WorkloadError) -> KubeObject {
    var template = workload.template
    template.spec["initContainers"] = nil
    template.containers = template.containers.filter { $0.name == agent.container }
    var pod = try agent.applied(to: template)
    pod.metadata["name"] = .string(name)
    pod.metadata["namespace"] = .string(namespace)
    pod.labels = [SessionMark.key: agent.session]
    pod.json["apiVersion"] = "v1"
    pod.json["kind"] = "Pod"
    return pod
  }
}
