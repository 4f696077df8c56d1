// Revisions: the numbers by which `kubectl rollout history` and `rollout undo` name the templates of a Deployment.

internal import DevrunCore
internal import DevrunKube

extension DeploymentPlan {
  static let revision = "deployment.kubernetes.io/revision"
  static let revisionHistory = "deployment.kubernetes.io/revision-history"

  /// The Deployment's annotations that its ReplicaSets do not get.
  private static let ownAnnotations: Set<String> = [
    "kubectl.kubernetes.io/last-applied-configuration", revision, revisionHistory, desired, most,
    "deprecated.deployment.rollback.to",
  ]

  private static func number(of set: KubeObject) -> Int { set.annotations[revision].flatMap { Int($0) } ?? 0 }

  /// Gives the ReplicaSet of the present template the greatest revision, and the Deployment the same.
  ///
  /// - Parameter makes: whether the ReplicaSet is made if there is none.
  mutating func syncRevision(makes: Bool) {
    let next = (old.map(Self.number).max() ?? 0) + 1
    if let current {
      update(current, revision: next)
      if progressing == nil, hasDeadline {
        setCondition(
          "Progressing", "True", "FoundNewReplicaSet", "Found new replica set \"\(current.name)\"")
      }
    } else if makes {
      make(revision: next)
    }
    if let number = current?.annotations[Self.revision], deployment.annotations[Self.revision] != number {
      deployment.annotations[Self.revision] = number
    }
    // Written now, and the counts later: so it is seen from outside before the first pod of the new template is.
    write()
  }

  private mutating func update(_ present: KubeObject, revision next: Int) {
    var set = present
    copyAnnotations(to: &set)
    let before = Self.number(of: set)
    if before < next {
      if let text = set.annotations[Self.revision] {
        let history = set.annotations[Self.revisionHistory].flatMap { $0.isEmpty ? nil : $0 + "," } ?? ""
        set.annotations[Self.revisionHistory] = history + text
      }
      set.annotations[Self.revision] = String(next)
    }
    let minimum = deployment.spec["minReadySeconds"]
    if set.spec["minReadySeconds"]?.int ?? 0 != minimum?.int ?? 0 { set.spec["minReadySeconds"] = minimum }
    replace(set)
  }

  private func copyAnnotations(to set: inout KubeObject) {
    let wanted = deployment.annotations.filter { !Self.ownAnnotations.contains($0.key) }
    guard wanted.contains(where: { set.annotations[$0.key] != $0.value }) else { return }
    set.annotations.merge(wanted) { $1 }
  }

  private mutating func make(revision next: Int) {
    let template = deployment.template
    var collisions = deployment.statusCount("collisionCount")
    var hash = PodTemplate.hash(of: template, collisions: collisions)
    while situation.otherNames.contains("\(deployment.name)-\(hash)") || isName(of: hash, among: old) {
      collisions += 1
      hash = PodTemplate.hash(of: template, collisions: collisions)
    }
    if collisions > deployment.statusCount("collisionCount") {
      deployment.setStatus("collisionCount", .int(Int64(collisions)))
    }
    var set = KubeObject(["apiVersion": "apps/v1", "kind": "ReplicaSet"])
    set.metadata = ["name": .string("\(deployment.name)-\(hash)")]
    set.metadata["namespace"] = deployment.namespace.map(JSONValue.string)
    set.setOwner(deployment.controllerReference)
    var labelled = template
    labelled.labels[PodTemplate.hashLabel] = hash
    set.labels = labelled.labels
    copyAnnotations(to: &set)
    set.annotations[Self.revision] = String(next)
    set.annotations.merge(sizes) { $1 }
    var selector = deployment.spec["selector"] ?? [:]
    var labels = selector["matchLabels"] ?? [:]
    labels[PodTemplate.hashLabel] = .string(hash)
    selector["matchLabels"] = labels
    set.spec["selector"] = selector
    set.spec["minReadySeconds"] = deployment.spec["minReadySeconds"]
    set.template = labelled
    set.desiredReplicas = 0
    set.desiredReplicas = replicas(of: set)
    current = set
    append(.create(.replicaSet, set))
    if set.desiredReplicas > 0 { report("Scaled up replica set \(set.name) from 0 to \(set.desiredReplicas)") }
    if hasDeadline {
      setCondition("Progressing", "True", "NewReplicaSetCreated", "Created new replica set \"\(set.name)\"")
    }
  }

  private func isName(of hash: String, among sets: [KubeObject]) -> Bool {
    sets.contains { $0.name == "\(deployment.name)-\(hash)" }
  }

  /// Deletes the ReplicaSets that fall out of the history, those of the lowest revisions first.
  mutating func dropHistory() {
    guard let limit = deployment.spec["revisionHistoryLimit"]?.int else { return }
    let alive = old.filter { !$0.isTerminating }
    guard alive.count > limit else { return }
    let byRevision = alive.sorted {
      (Self.number(of: $0), $0.creationTimestamp) < (Self.number(of: $1), $1.creationTimestamp)
    }
    for set in byRevision.prefix(alive.count - limit)
    where set.statusCount("replicas") == 0 && set.desiredReplicas == 0
      && set.generation <= set.statusCount("observedGeneration")
    {
      append(.delete(.replicaSet, set))
    }
  }
}
