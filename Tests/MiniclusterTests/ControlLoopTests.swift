import DevrunCore
import DevrunKube
import Foundation
import Testing

@testable import Minicluster

/// The controllers on a store, with a node that runs every pod at once.
@Suite("The controllers on a store", .timeLimit(.minutes(1))) struct ControlLoopTests {
  private let store = ObjectStore(admit: Controllers.admission())

  private struct NeverHappened: Error {}

  /// Runs a test beside the controllers, and ends them.
  private func withCluster(_ body: @escaping @Sendable (ObjectStore) async throws -> Void) async throws {
    try Controllers.prepare(store)
    let store = store
    try await withThrowingTaskGroup { group in
      group.addTask {
        await Controllers(store: store, certificateAuthority: "PEM") { Issue.record("\($0)") }.run()
      }
      group.addTask { try await Self.runNode(store) }
      group.addTask { try await body(store) }
      // The others go on until they are cancelled.
      try await group.next()
      group.cancelAll()
      do { try await group.waitForAll() } catch is CancellationError {}
    }
  }

  /// Makes pods ready, and removes those that are deleted.
  private static func runNode(_ store: ObjectStore) async throws {
    for await change in try store.watch(.pod, in: nil) {
      switch change {
      case .added(let pod): try start(pod, store)
      case .modified(let pod): if pod.isTerminating { try remove(pod, store) }
      case .deleted, .bookmark: break
      }
    }
  }

  private static func start(_ pod: KubeObject, _ store: ObjectStore) throws {
    // It may be deleted meanwhile.
    guard var present = store.object(.pod, in: pod.namespace, named: pod.name) else { return }
    present.spec["nodeName"] = "minicluster"
    present.setStatus("phase", "Running")
    present.setStatus("podIP", "10.97.0.5")
    present.setStatus(
      "conditions", [["type": "Ready", "status": "True", "lastTransitionTime": .string(Date.now.apiTime)]])
    present.metadata["resourceVersion"] = nil
    for part in [ObjectStore.Part.main, .status] {
      let result = Result { try write(present, part, store) }
      if case .failure(let failure as APIFailure) = result, ![404, 409].contains(failure.status.code) { throw failure }
    }
  }

  private static func write(_ pod: KubeObject, _ part: ObjectStore.Part, _ store: ObjectStore) throws {
    try store.update(.pod, in: pod.namespace, named: pod.name, part: part, by: "node") { $0 = pod }
  }

  private static func remove(_ pod: KubeObject, _ store: ObjectStore) throws {
    do {
      try store.delete(
        .pod, in: pod.namespace, named: pod.name, ObjectStore.Deletion(gracePeriodSeconds: 0, uid: pod.uid))
    } catch  where [404, 409].contains(error.status.code) {
      return
    }
  }

  /// Waits by a watch until the objects of a kind are as they should be.
  private static func wait(
    _ store: ObjectStore, _ kind: ObjectKind, in namespace: String?, until isSo: ([KubeObject]) -> Bool
  ) async throws {
    for await _ in try store.watch(kind, in: nil) where isSo(store.list(kind, in: namespace).objects) { return }
    throw NeverHappened()
  }

  private static func makeShop(_ store: ObjectStore) throws {
    try store.create(["kind": "Namespace", "metadata": ["name": "shop"]], of: .namespace, by: "test")
    var deployment = ControlObjects.deployment(replicas: 2)
    for name in ["uid", "generation", "resourceVersion"] { deployment.metadata[name] = nil }
    try store.create(deployment, of: .deployment, by: "test")
    try store.create(
      [
        "kind": "Service", "metadata": ["name": "web", "namespace": "shop"],
        "spec": ["selector": ["app": "web"], "ports": [["port": 80, "targetPort": 8080]]],
      ], of: .service, by: "test")
  }

  private static func waitForRollout(_ store: ObjectStore) async throws {
    try await wait(store, .deployment, in: "shop") { $0.first.map(ManifestApplier.isRolledOut) ?? false }
  }

  @Test func `A Deployment becomes pods, and the service leads to them`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try await Self.waitForRollout(store)
      let set = try #require(store.list(.replicaSet, in: "shop").objects.first)
      let pods = store.list(.pod, in: "shop").objects
      #expect(pods.count == 2)
      #expect(pods.map { $0.controller?.uid } == [set.uid, set.uid])
      #expect(pods.map { String($0.name.prefix(set.name.count + 1)) } == ["\(set.name)-", "\(set.name)-"])
      #expect(pods.map { $0.spec["serviceAccountName"] } == ["default", "default"])
      #expect(pods.map(\.volumes.count) == [1, 1])
      try await Self.wait(store, .endpointSlice, in: "shop") { $0.first?.json["endpoints"]?.array?.count == 2 }
      try await Self.wait(store, .endpoints, in: "shop") {
        $0.first?.json["subsets"]?.array?.first?["addresses"]?.array?.count == 2
      }
      let events = store.list(.event, in: "shop").objects.map { $0.json["message"]?.string ?? "" }
      #expect(events.contains("Scaled up replica set \(set.name) from 0 to 2"))
      #expect(Set(pods.map { "Created pod: \($0.name)" }).isSubset(of: events))
    }
  }

  @Test func `A changed template rolls out, and going back uses the old ReplicaSet`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try await Self.waitForRollout(store)
      for (image, revision) in [("web:2", "2"), ("web:1", "3")] {
        try store.update(.deployment, in: "shop", named: "web", by: "test") {
          $0.spec["template"] = ControlObjects.template(image: image)
        }
        try await Self.waitForRollout(store)
        let pods = store.list(.pod, in: "shop").objects.filter { !$0.isTerminating }
        #expect(Set(pods.map { $0.containers.first?.image }) == [image])
        let deployment = try #require(store.object(.deployment, in: "shop", named: "web"))
        #expect(deployment.annotations["deployment.kubernetes.io/revision"] == revision)
      }
      #expect(store.list(.replicaSet, in: "shop").objects.count == 2)
    }
  }

  @Test func `A pod that is deleted is made again`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try await Self.waitForRollout(store)
      let gone = try #require(store.list(.pod, in: "shop").objects.first)
      try store.delete(.pod, in: "shop", named: gone.name)
      try await Self.wait(store, .pod, in: "shop") { pods in
        pods.count == 2 && !pods.contains { $0.uid == gone.uid || !$0.hasCondition("Ready") }
      }
    }
  }

  @Test(arguments: [nil, "Background", "Foreground"])
  func `What a Deployment owns goes with it`(policy: String?) async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try await Self.waitForRollout(store)
      try store.delete(.deployment, in: "shop", named: "web", ObjectStore.Deletion(propagationPolicy: policy))
      try await Self.wait(store, .deployment, in: "shop", until: \.isEmpty)
      if policy == "Foreground" {
        #expect(store.list(.replicaSet, in: "shop").objects.isEmpty)
        #expect(store.list(.pod, in: "shop").objects.isEmpty)
      }
      try await Self.wait(store, .replicaSet, in: "shop", until: \.isEmpty)
      try await Self.wait(store, .pod, in: "shop", until: \.isEmpty)
    }
  }

  @Test func `What a Deployment leaves as orphans stays`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try await Self.waitForRollout(store)
      try store.delete(.deployment, in: "shop", named: "web", ObjectStore.Deletion(propagationPolicy: "Orphan"))
      try await Self.wait(store, .deployment, in: "shop", until: \.isEmpty)
      let sets = store.list(.replicaSet, in: "shop").objects
      #expect(sets.map(\.owners) == [[]])
      #expect(store.list(.pod, in: "shop").objects.count == 2)
    }
  }

  @Test func `What is made for an owner that is gone already goes too`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try store.create(
        [
          "kind": "ConfigMap",
          "metadata": [
            "name": "late", "namespace": "shop",
            "ownerReferences": [["apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "gone"]],
          ],
        ], of: .configMap, by: "test")
      try await Self.wait(store, .configMap, in: "shop") { !$0.contains { $0.name == "late" } }
    }
  }

  @Test func `A namespace has its account and certificate, and takes all that it holds along`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try await Self.waitForRollout(store)
      try await Self.wait(store, .configMap, in: "shop") { $0.first?.name == "kube-root-ca.crt" }
      try await Self.wait(store, .serviceAccount, in: "shop") { $0.first?.name == "default" }
      try store.delete(.namespace, in: nil, named: "shop")
      try await Self.wait(store, .namespace, in: nil) { !$0.contains { $0.name == "shop" } }
      let left = ObjectKind.all.filter(\.isNamespaced).flatMap { store.list($0, in: "shop").objects.map(\.name) }
      #expect(left == [])
    }
  }

  @Test func `The Endpoints of a service go with it, those of nobody stay`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try store.create(
        ["kind": "Endpoints", "metadata": ["name": "manual", "namespace": "shop"]], of: .endpoints, by: "test")
      try await Self.wait(store, .endpoints, in: "shop") { $0.map(\.name) == ["manual", "web"] }
      try await Self.wait(store, .endpointSlice, in: "shop") { !$0.isEmpty }
      try store.delete(.service, in: "shop", named: "web")
      try await Self.wait(store, .endpoints, in: "shop") { $0.map(\.name) == ["manual"] }
      try await Self.wait(store, .endpointSlice, in: "shop", until: \.isEmpty)
    }
  }

  @Test func `A StatefulSet makes its pods one after another, with numbers`() async throws {
    try await withCluster { store in
      try Self.makeShop(store)
      try store.create(
        [
          "kind": "StatefulSet", "metadata": ["name": "db", "namespace": "shop"],
          "spec": [
            "replicas": 2, "serviceName": "db", "selector": ["matchLabels": ["app": "db"]],
            "template": [
              "metadata": ["labels": ["app": "db"]], "spec": ["containers": [["name": "db", "image": "db:1"]]],
            ],
          ],
        ], of: .statefulSet, by: "test")
      try await Self.wait(store, .statefulSet, in: "shop") { $0.first?.status["readyReplicas"] == 2 }
      let pods = store.list(.pod, in: "shop").objects.filter { $0.labels["app"] == "db" }
      #expect(pods.map(\.name) == ["db-0", "db-1"])
      #expect(pods.map { $0.spec["hostname"] } == ["db-0", "db-1"])
    }
  }

  @Test func `A manifest is applied to the store, and awaited`() async throws {
    try await withCluster { store in
      let text = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: shop}
        spec:
          replicas: 2
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: web, image: "web:1"}]}
        """
      let lines = Lines()
      let applier = ManifestApplier(target: StoreTarget(store)) { lines.append($0) }
      let manifest = try Manifest(text: Array(text.utf8), source: "shop.yaml")
      try await applier.apply(manifest)
      #expect(store.list(.pod, in: "shop").objects.count == 2)
      #expect(lines.all.prefix(2) == ["namespace/shop created", "deployment.apps/web created"])
      try await applier.apply(manifest)
      #expect(lines.all.suffix(2) == ["namespace/shop unchanged", "deployment.apps/web unchanged"])
    }
  }
}
