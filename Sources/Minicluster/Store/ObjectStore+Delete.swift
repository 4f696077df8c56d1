internal import DevrunCore
internal import Foundation

package import DevrunKube

extension ObjectStore {
  /// How an object is to go (`meta/v1` DeleteOptions).
  package struct Deletion: Sendable {
    /// How long its processes may take; `nil` is the object's own time.
    package var gracePeriodSeconds: Int?
    /// What becomes of what it owns: `Background` (default), `Foreground` or `Orphan`.
    package var propagationPolicy: String?
    /// The uid that the object must have.
    package var uid: String?
    /// The version that the object must have.
    package var resourceVersion: String?
    /// Whether the deletion is only checked.
    package var isDryRun = false

    /// A deletion with the object's own grace.
    package init(
      gracePeriodSeconds: Int? = nil, propagationPolicy: String? = nil, uid: String? = nil,
      resourceVersion: String? = nil
    ) {
      self.gracePeriodSeconds = gracePeriodSeconds
      self.propagationPolicy = propagationPolicy
      self.uid = uid
      self.resourceVersion = resourceVersion
    }
  }

  /// Deletes an object, or marks it as one that is on its way out (pods that run, objects with finalizers). A pod with a
  /// deletion time is removed by the node, by another deletion with a grace of 0.
  ///
  /// - Returns: the object's last state. Only an object that is on its way out, and not gone, has a deletion time that it
  ///   did not have before.
  @discardableResult
  package func delete(
    _ kind: ObjectKind, in namespace: String?, named name: String, _ deletion: Deletion = Deletion()
  ) throws(APIFailure) -> KubeObject {
    if kind == .namespace, Self.systemNamespaces.contains(name) {
      throw .forbidden(kind, name, "this namespace may not be deleted")
    }
    let key = ObjectKey(kind, namespace, name)
    while true {
      guard let present = object(kind, in: namespace, named: name) else { throw .notFound(kind, name) }
      try requirePreconditions(deletion, of: present, kind)
      let next = marked(present, kind, deletion)
      let isGone = next.map { isFinished($0, kind) } ?? false
      if deletion.isDryRun { return isGone ? present : next ?? present }
      guard let next else { return present }
      let last = isGone ? present : next
      if let stored = commit(kind, key, replacing: present.resourceVersion, by: last, isRemoval: isGone) {
        return stored
      }
    }
  }

  private func requirePreconditions(
    _ deletion: Deletion, of present: KubeObject, _ kind: ObjectKind
  ) throws(APIFailure) {
    if let uid = deletion.uid, uid != present.uid { throw Self.anotherObject(kind, present, expected: uid) }
    if let version = deletion.resourceVersion, version != present.resourceVersion {
      throw .conflict(
        kind, present.name,
        "Precondition failed: ResourceVersion in precondition: \(version), ResourceVersion in object meta: "
          + (present.resourceVersion ?? ""))
    }
  }

  /// The object with a deletion time; `nil` if it has one and the deletion changes nothing.
  private func marked(_ present: KubeObject, _ kind: ObjectKind, _ deletion: Deletion) -> KubeObject? {
    var next = present
    let grace = kind == .pod ? podGrace(present, deletion) : 0
    if present.isTerminating {
      // A later deletion can only shorten the time.
      guard grace < present.metadata["deletionGracePeriodSeconds"]?.int ?? 0 || isFinished(present, kind) else {
        return nil
      }
    } else if next.generation > 0 {
      next.metadata["generation"] = .int(Int64(next.generation + 1))
    }
    switch deletion.propagationPolicy {
    case "Foreground": next.addFinalizer("foregroundDeletion")
    case "Orphan": next.addFinalizer("orphan")
    default: break
    }
    // The time counts from the first deletion.
    let first = (try? Date(present.metadata["deletionTimestamp"]?.string ?? "", strategy: .iso8601)) ?? clock()
    let earlier = present.metadata["deletionGracePeriodSeconds"]?.int ?? 0
    let end = first.addingTimeInterval(TimeInterval(grace - earlier))
    next.metadata["deletionTimestamp"] = .string(end.formatted(.iso8601))
    next.metadata["deletionGracePeriodSeconds"] = .int(Int64(grace))
    if kind == .namespace { next.json["status"] = ["phase": "Terminating"] }
    return next
  }

  /// How long a pod's processes may take: none where none run.
  private func podGrace(_ pod: KubeObject, _ deletion: Deletion) -> Int {
    let phase = pod.status["phase"]?.string
    guard let node = pod.spec["nodeName"]?.string, !node.isEmpty, phase != "Succeeded", phase != "Failed" else {
      return 0
    }
    let grace = deletion.gracePeriodSeconds ?? pod.spec["terminationGracePeriodSeconds"]?.int ?? 30
    return max(grace, 0)
  }
}

extension KubeObject {
  fileprivate mutating func addFinalizer(_ name: String) {
    if !finalizers.contains(name) { finalizers.append(name) }
  }
}
