internal import DevrunCore
package import DevrunKube

extension ObjectStore {
  /// What part of an object a change is about: the changes of all other parts are dropped.
  package enum Part: String, Sendable {
    /// Everything but the status.
    case main
    /// The status, and annotations.
    case status
    /// `spec.replicas`
    case scale
  }

  /// Changes an object that exists. A change to nothing new is no new version.
  ///
  /// - Parameters:
  ///   - uid: the uid that the object must have, else the change is refused with a conflict.
  ///   - isDryRun: whether the change is only checked and its result returned.
  ///   - change: gets the present object. A `metadata.resourceVersion` that it sets must be the present one, else the
  ///     change is refused with a conflict. It is called again if the object has changed meanwhile.
  @discardableResult
  package func update(
    _ kind: ObjectKind, in namespace: String?, named name: String, part: Part = .main, by manager: String,
    uid: String? = nil, isDryRun: Bool = false, _ change: (inout KubeObject) throws(APIFailure) -> Void
  ) throws(APIFailure) -> KubeObject {
    let key = ObjectKey(kind, namespace, name)
    while true {
      guard let present = object(kind, in: namespace, named: name) else { throw .notFound(kind, name) }
      if let uid, uid != present.uid { throw Self.anotherObject(kind, present, expected: uid) }
      var next = present
      try change(&next)
      try requireSame(next, as: present, kind)
      next = try prepared(next, from: present, kind, part, manager)
      if next == present || isDryRun { return next }
      // The change may have taken away what held an object that was deleted before.
      let isGone = isFinished(next, kind)
      if let stored = commit(kind, key, replacing: present.resourceVersion, by: next, isRemoval: isGone) {
        return stored
      }
    }
  }

  /// The failure of a request for an object that has gone, and whose name another one has.
  static func anotherObject(_ kind: ObjectKind, _ present: KubeObject, expected uid: String) -> APIFailure {
    .conflict(
      kind, present.name, "Precondition failed: UID in precondition: \(uid), UID in object meta: \(present.uid ?? "")")
  }

  /// Refuses a change that is meant for another object, or for another version of it.
  private func requireSame(_ next: KubeObject, as present: KubeObject, _ kind: ObjectKind) throws(APIFailure) {
    if let version = next.resourceVersion, !version.isEmpty, version != present.resourceVersion {
      throw .conflict(kind, present.name)
    }
    if let uid = next.uid, !uid.isEmpty, uid != present.uid {
      var report = FieldReport()
      report.invalid("metadata.uid", .string(uid), "field is immutable")
      try report.finish(kind, present.name)
    }
  }

  /// The next state of an object: the part that may change, with what the server owns as it was.
  private func prepared(
    _ change: KubeObject, from present: KubeObject, _ kind: ObjectKind, _ part: Part, _ manager: String
  ) throws(APIFailure) -> KubeObject {
    var next = present
    switch part {
    case .main:
      next = change
      next.json["apiVersion"] = present.json["apiVersion"]
      next.json["kind"] = present.json["kind"]
      if kind.hasStatus { next.json["status"] = present.json["status"] }
    case .status:
      next.json["status"] = change.json["status"]
      next.metadata["annotations"] = change.metadata["annotations"]
      next.metadata["managedFields"] = change.metadata["managedFields"]
    case .scale:
      next.spec["replicas"] = change.spec["replicas"]
      next.metadata["managedFields"] = change.metadata["managedFields"]
    }
    for name in [
      "name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "generateName", "selfLink",
      "deletionTimestamp", "deletionGracePeriodSeconds",
    ] {
      next.metadata[name] = present.metadata[name]
    }
    ObjectDefaults.apply(to: &next, kind)
    if kind == .service { ObjectDefaults.keepAddresses(of: present, in: &next) }
    if kind.hasGeneration, ObjectDefaults.isNewGeneration(next, after: present, kind, part) {
      next.metadata["generation"] = .int(Int64(present.generation + 1))
    }
    next.metadata["managedFields"] = FieldOwners.managedFields(
      from: present, to: next, of: kind, by: manager, part: part, at: now())
    guard next != present else { return present }
    if part != .status { try ObjectValidation.check(next, kind) }
    try ObjectValidation.check(change: next, of: present, kind)
    return next
  }

  /// Whether an object has been deleted before, and nothing holds it any more.
  func isFinished(_ object: KubeObject, _ kind: ObjectKind) -> Bool {
    guard object.isTerminating, object.finalizers.isEmpty else { return false }
    if kind == .namespace { return (object.spec["finalizers"]?.array ?? []).isEmpty }
    return (object.metadata["deletionGracePeriodSeconds"]?.int ?? 0) == 0
  }
}

extension KubeObject {
  /// `metadata.finalizers`: who must agree before the object goes.
  package var finalizers: [String] {
    get { (metadata["finalizers"]?.array ?? []).compactMap(\.string) }
    set { metadata["finalizers"] = newValue.isEmpty ? nil : .array(newValue.map(JSONValue.string)) }
  }
}
