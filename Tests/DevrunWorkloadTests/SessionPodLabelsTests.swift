import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Labels of a session's pod") struct SessionPodLabelsTests {
  private static func labels(
    _ labels: [String: String], _ surroundings: SessionPodSurroundings = SessionPodSurroundings()
  ) -> SessionPodLabels {
    var template: KubeObject = [:]
    template.labels = labels
    return SessionPodLabels(of: SessionPodTests.workload(template), surroundings: surroundings)
  }

  private static func selecting(
    _ kind: String, _ selector: JSONValue
  ) -> SessionPodSurroundings.Selecting? {
    let object: KubeObject = ["kind": .string(kind), "spec": ["selector": selector]]
    return ["Service", "ReplicationController"].contains(kind) ? .init(labelsOf: object) : .init(selectorOf: object)
  }

  private static func surroundings(
    _ selecting: [SessionPodSurroundings.Selecting?], policies: [KubeObject] = []
  ) -> SessionPodSurroundings {
    var surroundings = SessionPodSurroundings()
    surroundings.selecting = selecting.compactMap { $0 }
    surroundings.policies = policies.flatMap(SessionPodSurroundings.selectors(of:))
    return surroundings
  }

  @Test func `What a controller or Argo CD sets by is gone, and what a webhook looks at stays`() {
    let labels = Self.labels([
      "app": "web", "pod-template-hash": "x", "controller-revision-hash": "x", "app.kubernetes.io/instance": "x",
      "azure.workload.identity/use": "true", "team": "blue",
    ])
    #expect(labels.labels == ["azure.workload.identity/use": "true", "team": "blue"])
    #expect(!labels.areSelected)
  }

  @Test(
    arguments: [
      ("Service", ["tier": "front"]),
      ("ReplicationController", ["tier": "front"]),
      ("PodDisruptionBudget", ["matchLabels": ["tier": "front"]]),
      ("PodDisruptionBudget", ["matchExpressions": [["key": "tier", "operator": "Exists"]]]),
      ("ReplicaSet", ["matchExpressions": [["key": "tier", "operator": "In", "values": ["back", "front"]]]]),
      ("DaemonSet", ["matchLabels": ["tier": "front", "team": "blue"]]),
    ] as [(String, JSONValue)])
  func `No label stays by which something selects the pod`(kind: String, selector: JSONValue) {
    let labels = Self.labels(
      ["app": "web", "tier": "front", "team": "blue"], Self.surroundings([Self.selecting(kind, selector)]))
    #expect(labels.labels["tier"] == nil)
    #expect(!labels.areSelected)
  }

  @Test(
    arguments: [
      ("Service", ["tier": "back"]),
      ("Service", [:]),
      ("PodDisruptionBudget", [:]),
      ("PodDisruptionBudget", ["matchExpressions": [["key": "tier", "operator": "NotIn", "values": ["front"]]]]),
      ("Deployment", ["matchExpressions": [["key": "tier", "operator": "Later"]]]),
    ] as [(String, JSONValue)])
  func `A label stays that selects other pods, or whose absence would not help`(kind: String, selector: JSONValue) {
    let labels = Self.labels(["app": "web", "tier": "front"], Self.surroundings([Self.selecting(kind, selector)]))
    #expect(labels.labels == ["tier": "front"])
    #expect(!labels.areSelected)
  }

  private static let policies: [(String, KubeObject)] = [
    ("for the pods", ["spec": ["podSelector": ["matchLabels": ["app": "web"]]]]),
    (
      "from the pods",
      [
        "spec": [
          "podSelector": ["matchLabels": ["app": "db"]],
          "ingress": [["from": [["podSelector": ["matchLabels": ["app": "web"]]]]]],
        ]
      ]
    ),
    (
      "to the pods",
      [
        "spec": [
          "podSelector": [:],
          "egress": [
            ["to": [["ipBlock": ["cidr": "198.51.100.0/24"]], ["podSelector": ["matchLabels": ["app": "web"]]]]]
          ],
        ]
      ]
    ),
    ("all without", ["spec": ["podSelector": ["matchExpressions": [["key": "app", "operator": "DoesNotExist"]]]]]),
  ]

  @Test(arguments: policies)
  func `The labels that a network policy looks at stay, and the pod is never Ready`(
    what: String, policy: KubeObject
  ) throws {
    let service = Self.selecting("Service", ["app": "web"])
    let surroundings = Self.surroundings([service], policies: [policy])
    let labels = Self.labels(["app": "web", "team": "blue"], surroundings)
    #expect(labels.labels == ["app": "web", "team": "blue"], "\(what)")
    #expect(labels.areSelected)
    let pod = SessionPodTests.pod(in: surroundings)
    #expect(!pod.becomesReady)
    let container = try SessionPodTests.object(pod).containers[0].json
    #expect((container["readinessProbe"]?["initialDelaySeconds"]?.int ?? 0) > 1_000_000_000)
    #expect(container["command"]?.array?.contains("--probe-port") == false)
  }

  @Test func `A network policy for all pods, or for others, changes nothing`() {
    let policies: [KubeObject] = [
      ["spec": ["podSelector": [:]]], ["spec": ["podSelector": ["matchLabels": ["app": "db"]]]],
    ]
    let labels = Self.labels(["app": "web", "team": "blue"], Self.surroundings([], policies: policies))
    #expect(labels.labels == ["team": "blue"])
    #expect(!labels.areSelected)
    #expect(labels.omissions.isEmpty)
  }

  @Test func `A label that no Service looks at serves a network policy, and the pod can be Ready`() {
    let policy: KubeObject = ["spec": ["podSelector": ["matchLabels": ["team": "blue"]]]]
    let labels = Self.labels(["app": "web", "team": "blue"], Self.surroundings([], policies: [policy]))
    #expect(labels.labels == ["team": "blue"])
    #expect(!labels.areSelected)
  }

  @Test func `A controller that would adopt the pod counts more than a network policy`() {
    let set = Self.selecting("DaemonSet", ["matchLabels": ["app": "web"]])
    let policy: KubeObject = ["spec": ["podSelector": ["matchLabels": ["app": "web"]]]]
    let labels = Self.labels(["app": "web"], Self.surroundings([set], policies: [policy]))
    #expect(labels.labels == [:])
    #expect(labels.omissions.count == 1)
  }
}
