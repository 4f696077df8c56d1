// The store stands for etcd and the registry of the API server: it holds the objects, and each write passes through the
// same steps here, whoever writes (defaults, validation, versions, owners of fields).
//
// A write reads an object, prepares its next state without a lock, and puts it in place only if the object is still the
// one that was read; else it begins again. So a closure that changes an object may be called more than once.
internal import DevrunCore
internal import Foundation
internal import Synchronization

package import DevrunKube

/// The objects of the cluster, their versions, and their recent changes.
///
/// The API, the controllers and the node read and write here, each under the name of a field manager.
package final class ObjectStore: Sendable {
  /// What the store holds of one kind.
  struct Table {
    var objects: [ObjectKey: KubeObject] = [:]
    var history = ChangeHistory()
    /// Who waits for the next change of this kind.
    var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
  }

  /// All that the lock protects.
  struct State {
    var version = 1
    var lastWaiter = 0
    var tables: [ObjectKind: Table] = [:]
  }

  /// Changes or refuses an object that is to be made, before it is checked (Kubernetes' admission). It gets the object
  /// with its namespace and defaults.
  package typealias Admission = @Sendable (inout KubeObject, ObjectKind, ObjectStore) throws(APIFailure) -> Void

  let state = Mutex(State())
  let clock: @Sendable () -> Date
  let admit: Admission

  /// An empty store.
  ///
  /// - Parameter admit: is called for each new object.
  package convenience init(admit: @escaping Admission = { _, _, _ in }) { self.init(clock: { .now }, admit: admit) }

  /// An empty store with a clock of its own.
  init(clock: @escaping @Sendable () -> Date, admit: @escaping Admission = { _, _, _ in }) {
    self.clock = clock
    self.admit = admit
  }

  /// The time, as objects have it (RFC 3339, in whole seconds).
  func now() -> String { clock().formatted(.iso8601) }

  /// The version of the last change.
  package var resourceVersion: Int { state.withLock(\.version) }

  /// The object of a name. `nil` if there is none.
  package func object(_ kind: ObjectKind, in namespace: String?, named name: String) -> KubeObject? {
    let key = ObjectKey(kind, namespace, name)
    return state.withLock { $0.tables[kind]?.objects[key] }
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
    let (objects, version) = state.withLock { ($0.tables[kind]?.objects ?? [:], $0.version) }
    let selected = objects.filter { key, object in
      (namespace == nil || key.namespace == namespace) && selection.selects(object)
    }
    return Snapshot(objects: selected.sorted { $0.key < $1.key }.map(\.value), resourceVersion: version)
  }

  /// Puts an object's next state in place, or removes the object.
  ///
  /// - Parameters:
  ///   - expected: the version that the present object must have; `nil` if there must be none.
  ///   - next: the next state; of an object that is removed its last one.
  /// - Returns: the state with its version; `nil` if the present object is another one.
  func commit(
    _ kind: ObjectKind, _ key: ObjectKey, replacing expected: String?, by next: KubeObject, isRemoval: Bool = false
  ) -> KubeObject? {
    let (result, waiting) = state.withLock { state -> (KubeObject?, [CheckedContinuation<Void, Never>]) in
      let old = state.tables[kind]?.objects[key]
      guard old?.resourceVersion == expected else { return (nil, []) }
      var result = next
      state.version += 1
      result.metadata["resourceVersion"] = .string(String(state.version))
      var table = state.tables[kind] ?? Table()
      state.tables[kind] = nil
      table.objects[key] = isRemoval ? nil : result
      table.history.append(
        ChangeHistory.Entry(version: state.version, old: old, new: result, isRemoval: isRemoval))
      let waiting = Array(table.waiting.values)
      table.waiting = [:]
      state.tables[kind] = table
      return (result, waiting)
    }
    // Not under the lock: a task that goes on may ask the store at once.
    for waiter in waiting { waiter.resume() }
    return result
  }
}

/// Where an object is in the table of its kind.
struct ObjectKey: Hashable, Comparable {
  /// Empty for objects in no namespace.
  var namespace: String
  var name: String

  init(_ kind: ObjectKind, _ namespace: String?, _ name: String) {
    self.namespace = kind.isNamespaced ? namespace ?? "default" : ""
    self.name = name
  }

  static func < (left: ObjectKey, right: ObjectKey) -> Bool {
    (left.namespace, left.name) < (right.namespace, right.name)
  }
}
