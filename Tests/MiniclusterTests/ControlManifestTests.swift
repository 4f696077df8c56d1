import DevrunCore
import DevrunKube
import Synchronization
import Testing

@testable import Minicluster

/// Lines that were reported.
final class Lines: Sendable {
  private let lines = Mutex<[String]>([])
  func append(_ line: String) { lines.withLock { $0.append(line) } }
  var all: [String] { lines.withLock(\.self) }
}

@Suite("Manifests", .timeLimit(.minutes(1))) struct ControlManifestTests {
  private static func manifest(_ text: String) throws -> Manifest {
    try Manifest(text: Array(text.utf8), source: "a.yaml", namespace: "here")
  }

  @Test func `Documents and lists become objects in their order, in the namespace that they name`() throws {
    let manifest = try Self.manifest(
      """
      # A comment alone is no object.
      ---
      {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
      ---
      apiVersion: v1
      kind: List
      items:
      - {apiVersion: v1, kind: Service, metadata: {name: b, namespace: there}}
      - {apiVersion: v1, kind: Namespace, metadata: {name: c}}
      ---
      """)
    #expect(manifest.entries.map(\.words) == ["configmap/a", "service/b", "namespace/c"])
    #expect(manifest.entries.map(\.object.namespace) == ["here", "there", nil])
  }

  @Test(
    arguments: [
      ("", "a.yaml holds no object"), ("text", "a.yaml:1: this is no object of Kubernetes"),
      ("a: b", "a.yaml:1: an object must have apiVersion and kind"),
      (
        "a: b\n---\napiVersion: v1\nkind: Deployment",
        "a.yaml:1: an object must have apiVersion and kind"
      ),
      (
        "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}",
        "a.yaml:1: this cluster has no objects of kind Deployment in v1"
      ),
      ("apiVersion: v1\nkind: Pod", "a.yaml:1: the Pod has no metadata.name"),
      ("apiVersion: v1\nkind: List", "a.yaml:1: this List has no items"),
    ])
  func `A manifest that cannot be used is refused with the place and the reason`(text: String, words: String) throws {
    let error = try #require(throws: ManifestError.self) { try Self.manifest(text) }
    #expect(error.message.what == words)
  }

  @Test func `An older version of a kind is refused with the one that there is`() throws {
    let error = try #require(throws: ManifestError.self) {
      try Self.manifest("{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {name: a}}")
    }
    #expect(error.message.remedy == "use apiVersion: apps/v1")
  }

  @Test func `What a manifest does not name stays as it is`() {
    let merged = Manifest.merge(
      ["kind": "Service", "metadata": ["name": "a", "labels": ["x": "1"]], "spec": ["ports": [["port": 80]]]],
      onto: [
        "metadata": ["name": "a", "labels": ["y": "2"]], "spec": ["clusterIP": "10.98.1.1", "ports": []],
        "status": ["a": "b"],
      ])
    #expect(
      merged == [
        "metadata": ["name": "a", "labels": ["x": "1", "y": "2"]],
        "spec": ["clusterIP": "10.98.1.1", "ports": [["port": 80]]], "status": ["a": "b"],
      ])
  }

  @Test func `A Deployment that is not available in time is an error with the pod's reason`() async throws {
    let store = ObjectStore()
    try store.create(["kind": "Namespace", "metadata": ["name": "here"]], of: .namespace, by: "test")
    try store.create(
      [
        "kind": "Pod", "metadata": ["name": "web-1", "namespace": "here", "labels": ["app": "web"]],
        "spec": ["containers": [["name": "web", "image": "web:1"]]],
      ], of: .pod, by: "test")
    try store.update(.pod, in: "here", named: "web-1", part: .status, by: "test") {
      $0.setStatus(
        "containerStatuses",
        [
          [
            "name": "web",
            "state": ["waiting": ["reason": "CreateContainerConfigError", "message": "secret \"x\" not found"]],
          ]
        ])
    }
    let manifest = try Self.manifest(
      """
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec: {containers: [{name: web, image: "web:1"}]}
      """)
    let lines = Lines()
    let applier = ManifestApplier(target: StoreTarget(store), patience: .milliseconds(50)) { lines.append($0) }
    let error = try await #require(throws: ManifestError.self) { try await applier.apply(manifest) }
    #expect(error.what.hasPrefix("deployment.apps/web is not available after "))
    #expect(error.why == "container web of pod web-1: CreateContainerConfigError: secret \"x\" not found")
    #expect(lines.all == ["deployment.apps/web created", "deployment.apps/web: 0 of 1 pods available"])
  }
}
