// What becomes of an object whose owners are gone or on their way out, and of an owner that waits for what it owns
// (https://kubernetes.io/docs/concepts/architecture/garbage-collection/).

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// What the collector does about one object, as a function of its owners and of what it owns.
enum GarbageCollection {
  static let foreground = "foregroundDeletion"
  static let orphan = "orphan"

  /// What is there of an owner that an object names.
  enum OwnerState: Sendable, Hashable {
    /// It is there.
    case present
    /// It is on its way out, and waits until what it owns is gone.
    case waiting
    /// There is no object of this name and uid.
    case absent
  }

  /// What to do about an object that names owners.
  ///
  /// - Parameter ownsOthers: whether other objects name this one as their owner.
  static func actions(
    for object: KubeObject, of kind: ObjectKind, owners: [OwnerState], ownsOthers: Bool
  ) -> [ControllerAction] {
    guard !object.isTerminating, owners.contains(where: { $0 != .present }) else { return [] }
    if owners.contains(.present) {
      let references = object.metadata["ownerReferences"]?.array ?? []
      var kept = object
      kept.metadata["ownerReferences"] = .array(zip(references, owners).filter { $1 == .present }.map(\.0))
      return [.update(kind, kept, .main)]
    }
    let policy = owners.contains(.waiting) && ownsOthers ? "Foreground" : nil
    return [.delete(kind, object, propagation: policy)]
  }

  /// What to do about an owner that is on its way out.
  ///
  /// - Parameter dependents: what names it as an owner.
  static func actions(
    forOwner owner: KubeObject, of kind: ObjectKind, dependents: [(ObjectKind, KubeObject)]
  ) -> [ControllerAction] {
    guard owner.isTerminating, let uid = owner.uid else { return [] }
    let finalizers = (owner.metadata["finalizers"]?.array ?? []).compactMap(\.string)
    func without(_ finalizer: String) -> ControllerAction {
      var owner = owner
      let rest = finalizers.filter { $0 != finalizer }
      owner.metadata["finalizers"] = rest.isEmpty ? nil : .array(rest.map(JSONValue.string))
      return .update(kind, owner, .main)
    }
    if finalizers.contains(orphan) {
      let released = dependents.map { kind, object -> ControllerAction in
        var object = object
        let references = (object.metadata["ownerReferences"]?.array ?? []).filter { $0["uid"]?.string != uid }
        object.metadata["ownerReferences"] = references.isEmpty ? nil : .array(references)
        return .update(kind, object, .main)
      }
      return released + [without(orphan)]
    }
    guard finalizers.contains(foreground) else { return [] }
    let isBlocked = dependents.contains { _, object in
      (object.metadata["ownerReferences"]?.array ?? []).contains {
        $0["uid"]?.string == uid && $0["blockOwnerDeletion"]?.bool == true
      }
    }
    return isBlocked ? [] : [without(foreground)]
  }
}

/// Collects what owners leave behind.
struct GarbageCollector: Controller {
  let store: ObjectStore
  private var writer: ControllerWriter { ControllerWriter(store: store, component: "garbage-collector-controller") }

  init(store: ObjectStore) { self.store = store }

  var kinds: [ObjectKind] { ObjectKind.all.filter { $0 != .event } }

  func concerned(by object: KubeObject, of kind: ObjectKind, isGone: Bool) -> [ControlledName] {
    var names: [ControlledName] = []
    if isGone || object.isTerminating { names += dependents(of: object).map { ControlledName($0, $1) } }
    if !isGone, object.isTerminating || !object.owners.isEmpty { names.append(ControlledName(kind, object)) }
    // An owner may wait for just this object.
    if isGone {
      names += owners(of: object).compactMap { owner in owner.map { ControlledName($0.kind, $0.object) } }
    }
    return names
  }

  func reconcile(_ name: ControlledName) throws(APIFailure) -> TimeInterval? {
    guard let object = name.object(in: store) else { return nil }
    let states = owners(of: object).map { owner -> GarbageCollection.OwnerState in
      guard let owner else { return .absent }
      return owner.object.isTerminating && owner.object.finalizerNames.contains(GarbageCollection.foreground)
        ? .waiting : .present
    }
    let dependents = dependents(of: object)
    try writer.perform(
      GarbageCollection.actions(for: object, of: name.kind, owners: states, ownsOthers: !dependents.isEmpty)
        + GarbageCollection.actions(forOwner: object, of: name.kind, dependents: dependents))
    return nil
  }

  /// The owners that an object names, in its order; `nil` for one that is not there.
  private func owners(of object: KubeObject) -> [(kind: ObjectKind, object: KubeObject)?] {
    (object.metadata["ownerReferences"]?.array ?? []).map { reference in
      let kind = ObjectKind.all.first {
        $0.kind == reference["kind"]?.string && $0.apiVersion == reference["apiVersion"]?.string
      }
      guard let kind, let name = reference["name"]?.string,
        let owner = store.object(kind, in: kind.isNamespaced ? object.namespace : nil, named: name),
        owner.uid == reference["uid"]?.string
      else { return nil }
      return (kind, owner)
    }
  }

  private func dependents(of owner: KubeObject) -> [(ObjectKind, KubeObject)] {
    kinds.flatMap { kind in
      store.list(kind, in: owner.namespace).objects.filter { $0.isOwned(by: owner) }.map { (kind, $0) }
    }
  }
}

extension KubeObject {
  fileprivate var finalizerNames: [String] { (metadata["finalizers"]?.array ?? []).compactMap(\.string) }
}
