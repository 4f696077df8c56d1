package import DevrunKube

/// The objects of the cluster, their versions, and their recent changes.
///
/// The API, the controllers and the node read and write here, each under the name of a field manager.
package final class ObjectStore: Sendable {
  /// An empty store.
  package init() {}

  /// The object of a name. `nil` if there is none.
  package func object(_ kind: ObjectKind, in namespace: String?, named name: String) -> KubeObject? {
    fatalError("unwritten")
  }

  /// Objects of one kind at one moment, ordered by namespace and name.
  package struct Snapshot: Sendable {
    /// The objects.
    package var objects: [KubeObject]
    /// The store's version at that moment, from which a watch goes on.
    package var resourceVersion: Int
  }

  /// The objects of a kind that a selection selects; over all namespaces with `nil`.
  package func list(_ kind: ObjectKind, in namespace: String?, where selection: Selection = .all) -> Snapshot {
    fatalError("unwritten")
  }

  /// Makes an object. The store sets its name (by `generateName`), uid, versions, times and managed fields.
  @discardableResult
  package func create(_ object: KubeObject, of kind: ObjectKind, by manager: String) throws(APIFailure) -> KubeObject {
    fatalError("unwritten")
  }

  /// What part of an object a change is about: the changes of all other parts are dropped.
  package enum Part: Sendable { case main, status, scale }

  /// Changes an object that exists. A change to nothing new is no new version.
  ///
  /// - Parameters:
  ///   - change: gets the present object. A `metadata.resourceVersion` that it sets must be the present one, else the
  ///     change is refused with a conflict.
  @discardableResult
  package func update(
    _ kind: ObjectKind, in namespace: String?, named name: String, part: Part = .main, by manager: String,
    _ change: (inout KubeObject) throws(APIFailure) -> Void
  ) throws(APIFailure) -> KubeObject {
    fatalError("unwritten")
  }

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
  @discardableResult
  package func delete(
    _ kind: ObjectKind, in namespace: String?, named name: String, _ deletion: Deletion = Deletion()
  ) throws(APIFailure) -> KubeObject {
    fatalError("unwritten")
  }

  /// One change, as a watch sends it.
  package enum Change: Sendable {
    case added(KubeObject)
    case modified(KubeObject)
    /// The object's last state, with the version of its end.
    case deleted(KubeObject)
    /// Nothing that is selected has changed up to this version.
    case bookmark(resourceVersion: Int)
  }

  /// The changes of a kind from a version on; with `nil` first all objects that there are, as added. Ends with the task
  /// that reads it.
  ///
  /// - Throws: 410 `Expired` if changes since that version are forgotten.
  package func watch(
    _ kind: ObjectKind, in namespace: String?, where selection: Selection = .all, since version: Int? = nil
  ) throws(APIFailure) -> AsyncStream<Change> {
    fatalError("unwritten")
  }
}

/// What a list or a watch selects: the label and field selectors of a query.
package struct Selection: Sendable {
  /// Selects everything.
  package static let all = Selection()

  /// Whether an object is selected.
  package func selects(_ object: KubeObject) -> Bool { fatalError("unwritten") }
}
