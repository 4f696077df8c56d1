internal import DevrunCore
internal import DevrunKube

/// The labels of a session's pod: the template's, without those by which the app's pods are selected.
///
/// A network policy that selects the app's pods opens the way to what the app uses. Then the labels that it looks at
/// stay, and the pod is never Ready, so that a Service that looks at them too sends nothing to it.
struct SessionPodLabels: Sendable {
  /// Labels that a controller gives to each pod.
  private static let controllers: Set<String> = [
    "pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index", SessionMark.key,
  ]
  /// The label by which Argo CD takes objects for its own, and prunes them, unless it is set up otherwise. Helm's charts
  /// have it too, and their policies look at it.
  private static let instance = "app.kubernetes.io/instance"
  /// The label that Argo CD has for the same purpose, and nobody else.
  private static let argo = "argocd.argoproj.io/instance"

  /// The labels.
  let labels: [String: String]
  /// Whether a Service, a workload or a disruption budget selects the pod by them.
  let areSelected: Bool
  /// What the pod does not have.
  let omissions: [String]

  /// The labels of a pod for a workload.
  init(of workload: Workload, surroundings: SessionPodSurroundings) {
    let all = workload.template.labels.filter { !Self.controllers.contains($0.key) }
    let pruned = GitOps.prunesByLabel(workload.object) ? [Self.instance, Self.argo] : [Self.argo]
    let possible = all.filter { !pruned.contains($0.key) }
    let own = SessionPodSurroundings.Selecting(selectorOf: workload.object)
    let selecting = surroundings.selecting + (own.selector.keys.isEmpty ? [] : [own])
    let free = Self.without(selecting, possible.filter { $0.key != Self.instance })
    // Adopted, the pod would be deleted as one too many, or stand in for one of the app's.
    let notAdopted = Self.without(selecting.filter { $0.kind == .adopts }, possible)
    var needed: Set<String> = []
    for policy in surroundings.policies where policy.selects(all) != policy.selects(free) {
      needed.formUnion(policy.keys)
    }
    let labels = free.merging(notAdopted.filter { needed.contains($0.key) }) { $1 }
    self.labels = labels
    areSelected = selecting.contains { !$0.selector.keys.isEmpty && $0.selector.selects(labels) }
    let missing = surroundings.policies.filter { $0.selects(all) != $0.selects(labels) }
    omissions = Self.omissions(missing, all.keys.filter(pruned.contains))
  }

  /// What is said of policies that take the pod for another than the app's.
  private static func omissions(_ missing: [PodSelector], _ pruned: [String]) -> [String] {
    var texts: [String] = []
    for label in pruned.sorted() where missing.contains(where: { $0.keys.contains(label) }) {
      texts.append(
        "a network policy selects the app's pods by the label \(label), which the session's pod does not carry: Argo CD "
          + "deletes pods that have it")
    }
    if missing.contains(where: { $0.keys.isDisjoint(with: pruned) }) {
      texts.append("a network policy selects the app's pods by labels that the session's pod cannot carry")
    }
    return texts
  }

  /// The labels without those that anything looks at which selects them.
  private static func without(
    _ selecting: [SessionPodSurroundings.Selecting], _ labels: [String: String]
  ) -> [String: String] {
    var labels = labels
    // An empty selector selects every pod, whatever its labels.
    for one in selecting where one.selector.selects(labels) {
      labels = labels.filter { !one.selector.keys.contains($0.key) }
    }
    return labels
  }
}

/// The annotations of a session's pod.
enum SessionPodAnnotations {
  /// Annotations by which others take the pod for one of the app's: what scrapes or checks it finds nothing there, and
  /// what gives it the app's fixed address takes that away from the app.
  private static let dropped = [
    "prometheus.io/", "ad.datadoghq.com/", "argocd.argoproj.io/", "cni.projectcalico.org/ipAddrs",
    "ovn.kubernetes.io/ip_",
    "cluster-autoscaler.kubernetes.io/",
  ]
  /// Annotations that end in a container's name. The API server refuses those of a container that the pod does not have.
  private static let ofContainers = [
    "container.apparmor.security.beta.kubernetes.io/", "container.seccomp.security.alpha.kubernetes.io/",
  ]

  /// The template's annotations that stay.
  static func kept(of template: KubeObject, container: String) -> [String: String] {
    template.annotations.filter { key, _ in
      if dropped.contains(where: key.hasPrefix) { return false }
      guard let prefix = ofContainers.first(where: key.hasPrefix) else { return true }
      return key == prefix + container
    }
  }
}
