import DevrunCore

import Testing

@testable import DevrunKube

@Suite("Typed access to objects")
struct KubeObjectTests {
  private static let deployment: KubeObject = [
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": [
      "name": "web", "namespace": "shop", "uid": "u1", "generation": 3, "resourceVersion": "7",
      "labels": ["a": "b"], "annotations": ["x": "y"],
    ],
    "spec": [
      "selector": ["matchLabels": ["app": "web"], "matchExpressions": [["key": "old", "operator": "DoesNotExist"]]],
      "template": [
        "metadata": ["labels": ["app": "web"]],
        "spec": [
          "containers": [
            ["name": "side"],
            [
              "name": "app", "image": "i",
              "ports": [["containerPort": 80, "name": "http"], ["containerPort": 53, "protocol": "UDP"]],
            ],
          ]
        ],
      ],
    ],
    "status": ["conditions": [["type": "Available", "status": "False", "message": "none is"]]],
  ]

  @Test func `The fields of an object are read by their names`() throws {
    let object = Self.deployment
    #expect(object.name == "web" && object.namespace == "shop" && object.uid == "u1" && object.kind == "Deployment")
    #expect(object.generation == 3 && object.resourceVersion == "7" && !object.isTerminating)
    #expect(object.labels == ["a": "b"] && object.annotations == ["x": "y"] && object.template.labels == ["app": "web"])
    #expect(object.labelSelector == "app=web,!old")
    #expect(object.template.containers.map(\.name) == ["side", "app"])
    let app = try #require(object.template.container(named: "app"))
    #expect(
      app.ports == [.init(number: 80, name: "http", transport: "TCP"), .init(number: 53, name: nil, transport: "UDP")])
    #expect(object.message(ofCondition: "Available", being: "False") == "none is")
    #expect(object.message(ofCondition: "Available", being: "True") == nil)
  }

  @Test func `An object without the fields has empty ones`() {
    for object in [[:], KubeObject(.null), KubeObject("text"), ["metadata": [], "spec": 1]] as [KubeObject] {
      #expect(object.name.isEmpty && object.uid == nil && object.labels.isEmpty && object.annotations.isEmpty)
      #expect(object.generation == 0 && object.containers.isEmpty && object.owners.isEmpty)
      #expect(object.ownerReference == nil && object.template.containers.isEmpty && object.labelSelector.isEmpty)
    }
  }

  @Test func `Setting a field makes what is missing on the way and keeps the rest`() {
    var template: KubeObject = [:]
    template.annotations["a"] = "b"
    #expect(template == ["metadata": ["annotations": ["a": "b"]]])
    var object = Self.deployment
    object.template.containers[1].json["image"] = "j"
    object.template.labels["more"] = "yes"
    #expect(object.template.container(named: "app")?.image == "j")
    #expect(object.template.labels == ["app": "web", "more": "yes"])
    #expect(object.name == "web" && object.labelSelector == "app=web,!old")
  }

  @Test func `An object is owned by those that its references name`() {
    let owner = Self.deployment
    let reference = owner.ownerReference ?? .null
    var owned: KubeObject = ["metadata": ["ownerReferences": [reference]]]
    #expect(owned.isOwned(by: owner) && owned.controller == nil)
    owned.metadata["ownerReferences"] = [
      ["kind": "ReplicaSet", "name": "web-1", "uid": "u2", "controller": true], ["kind": "Nameless"],
    ]
    #expect(!owned.isOwned(by: owner))
    #expect(owned.controller == .init(kind: "ReplicaSet", name: "web-1", uid: "u2", isController: true))
    #expect(!owned.isOwned(by: [:]))
  }
}
