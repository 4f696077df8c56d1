import DevrunCore
import DevrunKube
import Foundation
import Testing

@testable import Minicluster

@Suite("Owners of fields in the minicluster")
struct StoreFieldOwnersTests {
  /// Each reading of the clock is a minute later than the last one.
  private let store: ObjectStore

  init() {
    let minute = Counter()
    store = ObjectStore(clock: { Date(timeIntervalSince1970: Double(minute.next()) * 60) })
  }

  private final class Counter: Sendable {
    private let lock = NSLock()
    nonisolated(unsafe) private var count = 0

    func next() -> Int {
      lock.withLock {
        count += 1
        return count
      }
    }
  }

  private func fields(_ object: KubeObject, _ manager: String, subresource: String? = nil) -> JSONValue? {
    let entries = object.managedFields?.array ?? []
    return entries.first { $0["manager"]?.string == manager && $0["subresource"]?.string == subresource }?["fieldsV1"]
  }

  private func update(
    by manager: String, part: ObjectStore.Part = .main, _ change: (inout KubeObject) -> Void
  ) throws -> KubeObject {
    try store.update(.deployment, in: "default", named: "web", part: part, by: manager, change)
  }

  private static func podTemplate(_ container: JSONValue) -> JSONValue {
    ["f:spec": ["f:template": ["f:spec": ["f:containers": ["k:{\"name\":\"web\"}": container]]]]]
  }

  @Test func `The maker of a Deployment owns what it set and what was filled in`() throws {
    let made = try store.create(StoreFixture.deployment("web"), of: .deployment, by: "kubectl-create")
    #expect(made.managedFields?.array?.count == 1)
    let entry = made.managedFields?.array?.first
    #expect(entry?["operation"] == "Update")
    #expect(entry?["apiVersion"] == "apps/v1")
    #expect(entry?["fieldsType"] == "FieldsV1")
    #expect(entry?["subresource"] == nil)
    #expect(
      entry?["fieldsV1"] == [
        "f:metadata": ["f:labels": [".": [:], "f:app": [:]]],
        "f:spec": [
          "f:progressDeadlineSeconds": [:], "f:replicas": [:], "f:revisionHistoryLimit": [:], "f:selector": [:],
          "f:strategy": ["f:rollingUpdate": [".": [:], "f:maxSurge": [:], "f:maxUnavailable": [:]], "f:type": [:]],
          "f:template": [
            "f:metadata": ["f:labels": [".": [:], "f:app": [:]]],
            "f:spec": [
              "f:containers": [
                "k:{\"name\":\"web\"}": [
                  ".": [:], "f:image": [:], "f:imagePullPolicy": [:], "f:name": [:], "f:resources": [:],
                  "f:terminationMessagePath": [:], "f:terminationMessagePolicy": [:],
                ]
              ],
              "f:dnsPolicy": [:], "f:restartPolicy": [:], "f:schedulerName": [:], "f:securityContext": [:],
              "f:terminationGracePeriodSeconds": [:],
            ],
          ],
        ],
      ])
  }

  @Test func `Elements of lists are owned by their keys, and other lists as a whole`() throws {
    var deployment = StoreFixture.deployment("web")
    deployment.spec["template"] = [
      "metadata": ["labels": ["app": "web"]],
      "spec": [
        "containers": [
          [
            "name": "web", "image": "shop/web:1", "command": ["web"],
            "ports": [["containerPort": 80, "name": "http"]],
            "env": [["name": "A", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]]],
            "envFrom": [["configMapRef": ["name": "c"]]],
            "volumeMounts": [["name": "e", "mountPath": "/e"]],
            "resources": ["limits": ["memory": "64Mi"]],
          ]
        ],
        "volumes": [["name": "e"], ["name": "p", "projected": ["sources": [["secret": ["name": "s"]]]]]],
      ],
    ]
    let made = try store.create(deployment, of: .deployment, by: "test")
    let spec = fields(made, "test")?[path: "f:spec", "f:template", "f:spec"]
    let container = spec?[path: "f:containers", "k:{\"name\":\"web\"}"]
    #expect(container?["f:command"] == [:])
    #expect(container?["f:envFrom"] == [:])
    #expect(
      container?["f:ports"] == [
        ".": [:],
        "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": [
          ".": [:], "f:containerPort": [:], "f:name": [:], "f:protocol": [:],
        ],
      ])
    #expect(
      container?["f:env"] == [
        ".": [:], "k:{\"name\":\"A\"}": [".": [:], "f:name": [:], "f:valueFrom": [".": [:], "f:secretKeyRef": [:]]],
      ])
    #expect(
      container?["f:volumeMounts"] == [
        ".": [:], "k:{\"mountPath\":\"/e\"}": [".": [:], "f:mountPath": [:], "f:name": [:]],
      ])
    #expect(
      container?["f:resources"] == [".": [:], "f:limits": [".": [:], "f:memory": [:]]])
    #expect(
      spec?["f:volumes"] == [
        ".": [:], "k:{\"name\":\"e\"}": [".": [:], "f:emptyDir": [:], "f:name": [:]],
        "k:{\"name\":\"p\"}": [
          ".": [:], "f:name": [:], "f:projected": [".": [:], "f:defaultMode": [:], "f:sources": [:]],
        ],
      ])
  }

  @Test func `Who changes a field takes it from its owner`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "maker")
    let changed = try update(by: "colleague") { object in
      object.spec["replicas"] = 3
      object.template.containers = [
        Container(["name": "web", "image": "shop/web:2", "env": [["name": "A", "value": "b"]]])
      ]
    }
    let container = Self.podTemplate([
      "f:image": [:], "f:env": [".": [:], "k:{\"name\":\"A\"}": [".": [:], "f:name": [:], "f:value": [:]]],
    ])
    var expected = container
    expected["f:spec"]?["f:replicas"] = [:]
    #expect(fields(changed, "colleague") == expected)
    #expect(fields(changed, "maker")?[path: "f:spec", "f:replicas"] == nil)
    #expect(fields(changed, "maker")?[path: "f:spec", "f:paused"] == nil)
    #expect(fields(changed, "maker")?[path: "f:spec", "f:selector"] == [:])

    // What is taken away belongs to nobody, and who owns nothing is no owner any more.
    let removed = try update(by: "maker") { object in
      object.spec["replicas"] = 1
      object.template.containers = [Container(["name": "web", "image": "shop/web:1"])]
    }
    #expect(fields(removed, "colleague") == nil)
    #expect(fields(removed, "maker")?[path: "f:spec", "f:replicas"] == [:])
  }

  @Test func `Who sets an annotation first owns the map, and others own their annotations alone`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "maker")
    _ = try update(by: "first") { $0.annotations["a"] = "1" }
    let second = try update(by: "second") { $0.annotations["b/c"] = "2" }
    #expect(fields(second, "first") == ["f:metadata": ["f:annotations": [".": [:], "f:a": [:]]]])
    #expect(fields(second, "second") == ["f:metadata": ["f:annotations": ["f:b/c": [:]]]])
  }

  @Test func `The status and the scale have owners of their own`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "maker")
    _ = try update(by: "kube-controller-manager", part: .status) { object in
      object.json["status"] = ["conditions": [["type": "Available", "status": "True"]], "observedGeneration": 1]
    }
    let scaled = try update(by: "kubectl", part: .scale) { $0.spec["replicas"] = 2 }
    #expect(
      fields(scaled, "kube-controller-manager", subresource: "status") == [
        "f:status": [
          "f:conditions": [
            ".": [:], "k:{\"type\":\"Available\"}": [".": [:], "f:status": [:], "f:type": [:]],
          ], "f:observedGeneration": [:],
        ]
      ])
    #expect(fields(scaled, "kubectl", subresource: "scale") == ["f:spec": ["f:replicas": [:]]])
  }

  @Test func `The time of an owner is that of the last write that changed what it owns`() throws {
    func time(_ object: KubeObject) -> String? {
      object.managedFields?.array?.first { $0["manager"] == "colleague" }?["time"]?.string
    }
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "maker")
    let first = time(try update(by: "colleague") { $0.labels["a"] = "1" })
    let same = time(try update(by: "colleague") { $0.labels["a"] = "2" })
    let later = time(try update(by: "colleague") { $0.labels["b"] = "1" })
    #expect(first != nil)
    #expect(same == first)
    #expect(later != first)
  }

  @Test func `Owners that a client puts back replace those that are there`() throws {
    let made = try store.create(StoreFixture.deployment("web"), of: .deployment, by: "maker")
    _ = try update(by: "devrun") { $0.spec["replicas"] = 0 }
    let restored = try update(by: "devrun") { object in
      object.metadata["managedFields"] = made.managedFields
    }
    #expect(restored.managedFields == made.managedFields)
    // With a change in the same write, its owner is added.
    let changed = try update(by: "devrun") { object in
      object.metadata["managedFields"] = made.managedFields
      object.spec["replicas"] = 1
    }
    #expect(fields(changed, "devrun") == ["f:spec": ["f:replicas": [:]]])
    // None, or an empty list, keeps them; a list of one empty entry takes them away.
    for kept in [nil, []] as [JSONValue?] {
      #expect(try update(by: "other") { $0.metadata["managedFields"] = kept }.managedFields == changed.managedFields)
    }
    #expect(try update(by: "other") { $0.metadata["managedFields"] = [[:]] }.managedFields == nil)
  }

  @Test func `Finalizers and owners of an object are owned by their values`() throws {
    var pod = StoreFixture.pod("web")
    pod.finalizers = ["x/y"]
    pod.metadata["ownerReferences"] = [["apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1"]]
    let made = try store.create(pod, of: .pod, by: "test")
    #expect(
      fields(made, "test")?["f:metadata"] == [
        "f:finalizers": [".": [:], "v:\"x/y\"": [:]], "f:ownerReferences": [".": [:], "k:{\"uid\":\"1\"}": [:]],
      ])
  }

  @Test func `A controller that writes an object twice owns what it wrote first as well`() throws {
    var deployment = try store.create(StoreFixture.deployment("web"), of: .deployment, by: "maker")
    deployment.json["status"] = ["replicas": 1]
    var later = deployment
    later.json["status"] = ["replicas": 1, "readyReplicas": 1]
    try ControllerWriter(store: store, component: "deployment-controller").perform([
      .update(.deployment, deployment, .status), .update(.deployment, later, .status),
    ])
    let written = try #require(store.object(.deployment, in: "default", named: "web"))
    #expect(
      fields(written, "kube-controller-manager", subresource: "status") == [
        "f:status": ["f:readyReplicas": [:], "f:replicas": [:]]
      ])
  }
}
