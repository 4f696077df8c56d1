// What a Deployment's controller does next, as a function of what there is.
//
// One plan is one step of a rollout: it finds the ReplicaSet of the present template or makes it, moves a few replicas,
// and writes the status. What the step changes leads to the next one. The rules are those of Kubernetes
// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/), so that what is seen of a rollout from outside
// is the same: numbers of replicas, revisions, conditions and events in their order.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// One step of a Deployment's controller.
struct DeploymentPlan: Sendable {
  /// What there is.
  struct Situation: Sendable {
    /// The Deployment.
    var deployment: KubeObject
    /// The ReplicaSets that it owns.
    var sets: [KubeObject]
    /// The pods of those ReplicaSets, those on their way out included.
    var pods: [KubeObject] = []
    /// The names of the namespace's other ReplicaSets.
    var otherNames: Set<String> = []
    /// The present time.
    var now: Date
  }

  /// What is to be written, in this order.
  private(set) var actions: [ControllerAction] = []
  /// After how many seconds the situation is to be looked at again even if nothing changes.
  var lookAgainAfter: TimeInterval?

  let situation: Situation
  /// The Deployment as it is to be.
  var deployment: KubeObject
  /// The Deployment as it is written so far.
  var written: KubeObject
  /// The ReplicaSet of the present template.
  var current: KubeObject?
  /// The other ReplicaSets, the oldest first.
  var old: [KubeObject]
  /// How far the rollout may go above and below.
  let limits: RolloutLimits

  /// The step that follows from a situation.
  init(_ situation: Situation) {
    self.situation = situation
    deployment = situation.deployment
    written = deployment
    limits = RolloutLimits(of: deployment)
    let sets = situation.sets.sorted { ($0.creationTimestamp, $0.name) < ($1.creationTimestamp, $1.name) }
    let essence = PodTemplate.essence(of: deployment.template)
    let current = sets.first { PodTemplate.essence(of: $0.template) == essence }
    self.current = current
    old = sets.filter { $0.uid != current?.uid }
    guard !LabelMatch(selector: deployment.spec["selector"] ?? [:]).isEmpty else { return }
    decide()
  }

  /// All ReplicaSets.
  var sets: [KubeObject] { old + [current].compactMap(\.self) }

  private mutating func decide() {
    guard !deployment.isTerminating else { return writeStatus() }
    noteWhetherPaused()
    if isPaused || isScaled {
      syncRevision(makes: false)
      scaleProportionally()
      if isPaused { dropHistory() }
      writeStatus()
    } else if isRecreated {
      recreate()
    } else {
      roll()
    }
  }

  // MARK: RollingUpdate

  /// Moves replicas from the old ReplicaSets to the present one, within the limits.
  private mutating func roll() {
    syncRevision(makes: true)
    if !growCurrent(), !shrinkOld(), isComplete(deployment.status) { dropHistory() }
    writeProgress()
  }

  private mutating func growCurrent() -> Bool {
    guard let current, case let count = replicas(of: current), count != current.desiredReplicas else { return false }
    return scale(current, to: count)
  }

  /// The number of replicas that the present ReplicaSet may have now.
  func replicas(of current: KubeObject) -> Int {
    let wanted = deployment.desiredReplicas
    guard !isRecreated, current.desiredReplicas < wanted else { return wanted }
    let others = old.reduce(0) { $0 + $1.desiredReplicas }
    let room = wanted + limits.surge - others - current.desiredReplicas
    return room <= 0 ? current.desiredReplicas : current.desiredReplicas + min(room, wanted - current.desiredReplicas)
  }

  private mutating func shrinkOld() -> Bool {
    guard old.contains(where: { $0.desiredReplicas > 0 }) else { return false }
    let least = deployment.desiredReplicas - limits.unavailable
    let missing = (current?.desiredReplicas ?? 0) - (current?.statusCount("availableReplicas") ?? 0)
    let atMost = sets.reduce(0) { $0 + $1.desiredReplicas } - least - missing
    guard atMost > 0 else { return false }
    // What is not available is no loss.
    var hasShrunk = shrinkOld(by: atMost) { $0.desiredReplicas - $0.statusCount("availableReplicas") }
    let available = sets.reduce(0) { $0 + $1.statusCount("availableReplicas") }
    if available > least, shrinkOld(by: available - least, { $0.desiredReplicas }) { hasShrunk = true }
    return hasShrunk
  }

  /// Takes replicas from the old ReplicaSets, the oldest first.
  private mutating func shrinkOld(by most: Int, _ dispensable: (KubeObject) -> Int) -> Bool {
    var rest = most
    for set in old where rest > 0 && set.desiredReplicas > 0 {
      let count = min(rest, dispensable(set))
      guard count > 0 else { continue }
      rest -= count
      scale(set, to: set.desiredReplicas - count)
    }
    return rest < most
  }

  // MARK: Recreate

  /// Ends all old pods before the first new one starts.
  private mutating func recreate() {
    syncRevision(makes: false)
    var hasShrunk = false
    for set in old where set.desiredReplicas > 0 && scale(set, to: 0) { hasShrunk = true }
    let isOldRunning = situation.pods.contains { pod in
      !pod.hasEnded && pod.controller?.uid != current?.uid
    }
    if !hasShrunk, !isOldRunning {
      syncRevision(makes: true)
      _ = growCurrent()
      if isComplete(deployment.status) { dropHistory() }
    }
    writeProgress()
  }

  // MARK: Scaling

  /// Whether the wanted number of replicas was changed since the ReplicaSets got theirs.
  private var isScaled: Bool {
    sets.contains { set in
      guard set.desiredReplicas > 0, let text = set.annotations[Self.desired] else { return false }
      return Int(text) != deployment.desiredReplicas
    }
  }

  /// Divides the wanted number among the ReplicaSets that have replicas, as they have them now.
  private mutating func scaleProportionally() {
    let wanted = deployment.desiredReplicas
    let active = sets.filter { $0.desiredReplicas > 0 }
    if active.count <= 1 {
      if let only = active.first ?? current ?? old.last { scale(only, to: wanted) }
      return
    }
    if let current, current.desiredReplicas == wanted, current.statusCount("availableReplicas") == wanted,
      current.annotations[Self.desired] == String(wanted)
    {
      for set in old { scale(set, to: 0) }
      return
    }
    guard !isRecreated else { return }
    let most = wanted > 0 ? wanted + limits.surge : 0
    let change = most - active.reduce(0) { $0 + $1.desiredReplicas }
    let order = active.sorted { left, right in
      guard left.desiredReplicas == right.desiredReplicas else { return left.desiredReplicas > right.desiredReplicas }
      return change > 0
        ? left.creationTimestamp > right.creationTimestamp : left.creationTimestamp < right.creationTimestamp
    }
    var shares = order.map { _ in 0 }
    for (index, set) in order.enumerated() {
      let rest = change - shares.reduce(0, +)
      let share = share(of: set, most: most)
      shares[index] = change > 0 ? min(share, rest) : max(share, rest)
    }
    // What rounding leaves goes to the largest.
    shares[0] += change - shares.reduce(0, +)
    for (set, share) in zip(order, shares) { scale(set, to: max(0, set.desiredReplicas + share)) }
  }

  private func share(of set: KubeObject, most: Int) -> Int {
    guard deployment.desiredReplicas > 0 else { return -set.desiredReplicas }
    let before = set.annotations[Self.most].flatMap { Int($0) } ?? deployment.statusCount("replicas")
    guard before > 0 else { return 0 }
    let size = Double(set.desiredReplicas) * Double(deployment.desiredReplicas + limits.surge) / Double(before)
    return Int(size.rounded()) - set.desiredReplicas
  }

  /// Gives a ReplicaSet a number of replicas.
  ///
  /// - Returns: whether that is another one than before.
  @discardableResult
  private mutating func scale(_ set: KubeObject, to count: Int) -> Bool {
    let before = set.desiredReplicas
    var set = set
    set.annotations.merge(sizes) { $1 }
    if before != count { set.desiredReplicas = count }
    guard replace(set), before != count else { return false }
    report("Scaled \(count > before ? "up" : "down") replica set \(set.name) from \(before) to \(count)")
    return true
  }

  /// The annotations that hold the numbers by which the present ones can be scaled later.
  var sizes: [String: String] {
    let wanted = deployment.desiredReplicas
    return [Self.desired: String(wanted), Self.most: String(wanted + (isRecreated ? 0 : limits.surge))]
  }

  static let desired = "deployment.kubernetes.io/desired-replicas"
  static let most = "deployment.kubernetes.io/max-replicas"

  // MARK: Writing

  var isPaused: Bool { deployment.spec["paused"]?.bool ?? false }
  var isRecreated: Bool { deployment.spec["strategy"]?["type"]?.string == "Recreate" }

  mutating func append(_ action: ControllerAction) { actions.append(action) }

  mutating func report(_ message: String) {
    append(
      .event(
        ControllerEvent(
          kind: .deployment, object: situation.deployment, reason: "ScalingReplicaSet", message: message)))
  }

  /// Writes a ReplicaSet that has changed.
  ///
  /// - Returns: whether it has.
  @discardableResult
  mutating func replace(_ set: KubeObject) -> Bool {
    if let index = old.firstIndex(where: { $0.name == set.name }) {
      guard old[index] != set else { return false }
      old[index] = set
    } else {
      guard current != set else { return false }
      current = set
    }
    append(.update(.replicaSet, set, .main))
    return true
  }
}
