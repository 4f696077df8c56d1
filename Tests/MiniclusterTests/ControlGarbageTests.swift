import DevrunCore
import DevrunKube
import Testing

@testable import Minicluster

@Suite("Collection of what owners leave behind") struct ControlGarbageTests {
  private typealias State = GarbageCollection.OwnerState

  private static func object(
    _ name: String, owners: [String] = [], finalizers: [String] = [], isTerminating: Bool = false, blocks: Bool = true
  ) -> KubeObject {
    var object: KubeObject = [
      "apiVersion": "v1", "kind": "ConfigMap",
      "metadata": ["name": .string(name), "namespace": "shop", "uid": .string(name)],
    ]
    if !owners.isEmpty {
      object.metadata["ownerReferences"] = .array(
        owners.map {
          [
            "apiVersion": "v1", "kind": "ConfigMap", "name": .string($0), "uid": .string($0),
            "blockOwnerDeletion": .bool(blocks),
          ]
        })
    }
    if !finalizers.isEmpty { object.metadata["finalizers"] = .array(finalizers.map(JSONValue.string)) }
    if isTerminating { object.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z" }
    return object
  }

  private static func actions(_ object: KubeObject, _ owners: [State], ownsOthers: Bool = false) -> [ControllerAction] {
    GarbageCollection.actions(for: object, of: .configMap, owners: owners, ownsOthers: ownsOthers)
  }

  @Test func `An object goes with its last owner`() {
    let object = Self.object("a", owners: ["x", "y"])
    #expect(Self.actions(object, [.absent, .absent]) == [.delete(.configMap, object)])
    #expect(Self.actions(object, [.waiting, .absent]) == [.delete(.configMap, object)])
    #expect(
      Self.actions(object, [.waiting, .absent], ownsOthers: true)
        == [.delete(.configMap, object, propagation: "Foreground")])
    #expect(Self.actions(object, [.present, .present]).isEmpty)
    #expect(Self.actions(Self.object("b"), []).isEmpty)
  }

  @Test func `An object that has an owner left forgets the others`() {
    let object = Self.object("a", owners: ["x", "y"])
    #expect(Self.actions(object, [.absent, .present]) == [.update(.configMap, Self.object("a", owners: ["y"]), .main)])
  }

  @Test func `An object on its way out is not deleted again`() {
    #expect(Self.actions(Self.object("a", owners: ["x"], isTerminating: true), [.absent]).isEmpty)
  }

  @Test func `An owner waits for what blocks it, and only for that`() {
    let owner = Self.object("x", finalizers: ["foregroundDeletion", "other"], isTerminating: true)
    let freed = Self.object("x", finalizers: ["other"], isTerminating: true)
    func next(_ dependents: [KubeObject]) -> [ControllerAction] {
      GarbageCollection.actions(forOwner: owner, of: .configMap, dependents: dependents.map { (.configMap, $0) })
    }
    #expect(next([Self.object("a", owners: ["x"])]).isEmpty)
    #expect(next([Self.object("a", owners: ["x"], blocks: false)]) == [.update(.configMap, freed, .main)])
    #expect(next([]) == [.update(.configMap, freed, .main)])
  }

  @Test func `An owner that orphans lets what it owns stay`() {
    let owner = Self.object("x", finalizers: ["orphan"], isTerminating: true)
    let actions = GarbageCollection.actions(
      forOwner: owner, of: .configMap, dependents: [(.configMap, Self.object("a", owners: ["x", "y"]))])
    #expect(
      actions == [
        .update(.configMap, Self.object("a", owners: ["y"]), .main),
        .update(.configMap, Self.object("x", isTerminating: true), .main),
      ])
  }

  @Test func `An owner that stays is left alone`() {
    let owner = Self.object("x", finalizers: ["orphan"])
    #expect(GarbageCollection.actions(forOwner: owner, of: .configMap, dependents: []).isEmpty)
  }
}
