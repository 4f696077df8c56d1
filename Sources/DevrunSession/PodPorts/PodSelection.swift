internal import DevrunCore
internal import DevrunKube

/// The pods of a workload that run, and which of them stands for all. Pure.
///
/// It stays the same one as long as it runs, since programs remember what they have told a sidecar. It is left for a pod
/// that is ready if it is not ready itself: its node may have failed, which the pod's phase does not show for minutes. After
/// it another is taken: one that is ready rather than not, and the youngest of those, which a rollout ends last.
struct PodSelection: Sendable {
  /// A pod that runs.
  struct Candidate: Sendable, Hashable {
    /// The pod's name.
    var name: String
    /// What tells it from another pod of the name.
    var uid: String
    fileprivate var isReady: Bool
    fileprivate var made: String

    fileprivate init(_ pod: KubeObject) {
      name = pod.name
      uid = pod.uid ?? ""
      isReady = pod.message(ofCondition: "Ready", being: "True") != nil
      made = pod.creationTimestamp
    }
  }

  private var candidates: [String: Candidate] = [:]
  private var chosen: String?

  /// Applies an event of the watch.
  mutating func apply(_ event: WatchEvent) {
    switch event {
    case .snapshot(let pods):
      candidates = [:]
      pods.forEach { update($0) }
    case .added(let pod), .modified(let pod): update(pod)
    case .deleted(let pod): candidates[pod.name] = nil
    }
  }

  private mutating func update(_ pod: KubeObject) { candidates[pod.name] = Self.runs(pod) ? Candidate(pod) : nil }

  /// The pod that stands for all; `nil` if there is none.
  ///
  /// - Parameter failed: the pods that were of no use, by uid.
  mutating func choose(besides failed: Set<String> = []) -> Candidate? {
    let usable = candidates.values.filter { !failed.contains($0.uid) }
    let best = usable.max { ($0.isReady ? 1 : 0, $0.made, $0.name) < ($1.isReady ? 1 : 0, $1.made, $1.name) }
    let same = usable.first { $0.uid == chosen }
    if let same, same.isReady || best?.isReady != true { return same }
    if let best { chosen = best.uid }
    return best
  }

  /// Whether a pod is the workload's own, and not of somebody who has given it the same labels.
  static func isOwn(_ pod: KubeObject) -> Bool { pod.controller?.kind == "ReplicaSet" && !pod.isTerminating }

  /// Whether a pod is the workload's own and has a container that runs or is restarted.
  static func runs(_ pod: KubeObject) -> Bool { isOwn(pod) && pod.status["phase"]?.string == "Running" }

  /// Whether a pod is the workload's own, and runs or may still.
  static func mayRun(_ pod: KubeObject) -> Bool {
    isOwn(pod) && !["Succeeded", "Failed"].contains(pod.status["phase"]?.string)
  }
}
