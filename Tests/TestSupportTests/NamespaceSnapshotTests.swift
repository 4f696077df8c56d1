import DevrunCore
import TestSupport
import Testing

@Suite("Snapshots of namespaces")
struct NamespaceSnapshotTests {
  /// A pod of a ReplicaSet, with a volume for its account's token.
  private static func pod(
    _ name: String, volume: String, source: JSONValue = ["projected": tokens], node: String = "node-1",
    image: String = "app:1"
  ) -> JSONValue {
    var entry: JSONValue = ["name": .string(volume)]
    for (kind, value) in source.object ?? [:] { entry[kind] = value }
    let mount: JSONValue = ["name": .string(volume), "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"]
    return [
      "kind": "Pod", "apiVersion": "v1",
      "metadata": [
        "name": .string(name), "generateName": "app-5d4c8f-", "uid": .string("uid of \(name)"),
        "labels": ["app": "app", "topology.kubernetes.io/zone": .string("zone of \(node)")],
        "managedFields": [
          [
            "manager": "someone", "time": .string("time of \(name)"),
            "fieldsV1": ["f:spec": ["f:volumes": [.init("k:{\"name\":\"\(volume)\"}"): ["f:name": [:]]]]],
          ]
        ],
      ],
      "spec": [
        "nodeName": .string(node),
        "initContainers": [["name": "first", "volumeMounts": [mount]]],
        "containers": [
          [
            "name": "app", "image": .string(image),
            "volumeMounts": [["name": "own", "mountPath": "/own"], mount],
          ]
        ],
        "volumes": [["name": "own", "emptyDir": [:]], entry],
      ],
      "status": ["podIP": .string("address of \(name)")],
    ]
  }

  private static let tokens: JSONValue = [
    "sources": [
      ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
      ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
    ]
  ]
  private static let secret: JSONValue = ["secret": ["secretName": "default-token-x7k2p"]]

  /// A pod, and the one that follows it.
  struct Succession: CustomTestStringConvertible {
    var testDescription: String
    var pod: JSONValue
    var successor: JSONValue

    init(_ description: String, _ pod: JSONValue, _ successor: JSONValue) {
      (testDescription, self.pod, self.successor) = (description, pod, successor)
    }

    var differences: [String] {
      NamespaceSnapshot(objects: [successor]).differences(from: NamespaceSnapshot(objects: [pod]))
    }
  }

  @Test(
    arguments: [
      Succession(
        "since 1.21 each has another name for the token's volume",
        pod("app-5d4c8f-a", volume: "kube-api-access-x7k2p"), pod("app-5d4c8f-b", volume: "kube-api-access-9hqzd")),
      Succession(
        "before 1.21 all pods of an account have the same",
        pod("app-5d4c8f-a", volume: "default-token-x7k2p", source: secret),
        pod("app-5d4c8f-b", volume: "default-token-x7k2p", source: secret)),
      Succession(
        "on another node", pod("app-5d4c8f-a", volume: "kube-api-access-x7k2p", node: "node-1"),
        pod("app-5d4c8f-b", volume: "kube-api-access-x7k2p", node: "node-2")),
    ])
  func `A pod and the one that follows it are the same, whatever their names, nodes and token volumes`(
    pods: Succession
  ) {
    #expect(pods.differences == [])
  }

  @Test(
    arguments: [
      (
        Succession(
          "another image", pod("a", volume: "kube-api-access-x7k2p"),
          pod("b", volume: "kube-api-access-x7k2p", image: "app:2")), "app:2"
      ),
      (
        Succession(
          "another Secret", pod("a", volume: "default-token-x7k2p", source: secret),
          pod("b", volume: "default-token-9hqzd", source: secret)), "default-token-9hqzd"
      ),
      (
        Succession(
          "another name that somebody chose", pod("a", volume: "kube-api-access-cache"),
          pod("b", volume: "kube-api-access-cache-2")), "kube-api-access-cache-2"
      ),
      (
        Succession(
          "another volume without a token", pod("a", volume: "kube-api-access-x7k2p", source: ["emptyDir": [:]]),
          pod("b", volume: "kube-api-access-9hqzd", source: ["emptyDir": [:]])), "kube-api-access-9hqzd"
      ),
    ])
  func `A change of a pod or of a volume with a chosen name is reported`(pods: Succession, word: String) {
    #expect(pods.differences.contains { $0.contains(word) }, "\(pods.differences)")
  }

  @Test func `A missing pod, a new object and a changed history are reported`() {
    let before = NamespaceSnapshot(
      objects: [
        Self.pod("app-5d4c8f-a", volume: "kube-api-access-x7k2p"),
        Self.pod("app-5d4c8f-b", volume: "kube-api-access-9hqzd"),
      ], history: "1")
    let after = NamespaceSnapshot(
      objects: [
        Self.pod("app-5d4c8f-c", volume: "kube-api-access-kk4w8"),
        ["kind": "ConfigMap", "apiVersion": "v1", "metadata": ["name": "new"]],
      ], history: "2")
    let differences = after.differences(from: before)
    #expect(differences.count == 3)
    #expect(differences.contains { $0.hasPrefix("ConfigMap/new (v1): absent -> ") })
    #expect(differences.contains { $0.hasPrefix("Pod/app-5d4c8f-#1: ") && $0.hasSuffix("-> absent") })
    #expect(differences.contains { $0.contains("rollout history") })
  }

  /// An EndpointSlice of two pods.
  private static func slice(_ pods: [(name: String, address: String, node: String)]) -> JSONValue {
    [
      "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
      "metadata": [
        "name": "app-fx2vs",
        "annotations": [
          "endpoints.kubernetes.io/last-change-trigger-time": .string("time of \(pods.map(\.name))")
        ],
      ],
      "endpoints": .array(
        pods.map { pod in
          [
            "addresses": [.string(pod.address)], "nodeName": .string(pod.node), "conditions": ["ready": true],
            "targetRef": ["kind": "Pod", "name": .string(pod.name), "uid": .string("uid of \(pod.name)")],
          ]
        }),
    ]
  }

  /// The Endpoints of two pods.
  private static func endpoints(_ pods: [(name: String, address: String, node: String)]) -> JSONValue {
    [
      "kind": "Endpoints", "apiVersion": "v1", "metadata": ["name": "app"],
      "subsets": [
        [
          "addresses": .array(
            pods.map { pod in
              [
                "ip": .string(pod.address), "nodeName": .string(pod.node),
                "targetRef": ["kind": "Pod", "name": .string(pod.name), "uid": .string("uid of \(pod.name)")],
              ]
            }), "ports": [["port": 80]],
        ]
      ],
    ]
  }

  @Test(arguments: [slice, endpoints])
  func `Endpoints and endpoint slices of other pods are the same, and one pod less is reported`(
    object: @Sendable ([(name: String, address: String, node: String)]) -> JSONValue
  ) {
    let before = NamespaceSnapshot(objects: [object([("a", "10.0.0.1", "node-1"), ("b", "10.0.0.2", "node-2")])])
    let after = NamespaceSnapshot(objects: [object([("c", "10.0.0.4", "node-2"), ("d", "10.0.0.3", "node-2")])])
    #expect(after.differences(from: before) == [])
    #expect(NamespaceSnapshot(objects: [object([("c", "10.0.0.4", "node-2")])]).differences(from: before).count == 1)
  }
}
