import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Labels of a session's pod") struct SessionPodLabelsTests {
  private static func labels(
    _ labels: [String: String], _ surroundings: SessionPodSurroundings = SessionPodSurroundings(),
    metadata: JSONValue? = nil
  ) -> SessionPodLabels {
    var template: KubeObject = [:]
    template.labels = labels
    var workload = SessionPodTests.workload(template)
    if let metadata { workload.object.metadata = metadata }
    return SessionPodLabels(of: workload, surroundings: surroundings)
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

  /// As Helm's charts have them.
  private static let chart = ["app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "shop", "team": "blue"]
  private static let chartPolicy: KubeObject = [
    "spec": ["podSelector": ["matchLabels": ["app.kubernetes.io/instance": "shop"]]]
  ]

  @Test func `A chart's label that a network policy looks at stays, unless Argo CD prunes by it`() {
    let service = Self.selecting(
      "Service", ["app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "shop"])
    let surroundings = Self.surroundings([service], policies: [Self.chartPolicy])
    let kept = Self.labels(Self.chart, surroundings)
    #expect(kept.labels == Self.chart)
    #expect(kept.areSelected)
    #expect(kept.omissions.isEmpty)

    let argo: JSONValue = ["name": "web", "managedFields": [["manager": "argocd-controller"]]]
    let pruned = Self.labels(Self.chart, surroundings, metadata: argo)
    #expect(pruned.labels == ["app.kubernetes.io/name": "web", "team": "blue"])
    #expect(!pruned.areSelected)
    #expect(pruned.omissions.count == 1)
    #expect(pruned.omissions.first?.contains("app.kubernetes.io/instance") == true)
    #expect(pruned.omissions.first?.contains("Argo CD") == true)

    var annotated = argo
    annotated["annotations"] = ["argocd.argoproj.io/tracking-id": "shop:apps/Deployment:ns/web"]
    #expect(Self.labels(Self.chart, surroundings, metadata: annotated).labels == Self.chart)
    #expect(Self.labels(Self.chart, Self.surroundings([service])).labels["app.kubernetes.io/instance"] == nil)
  }

  @Test func `A controller that would adopt the pod counts more than a network policy`() {
    let set = Self.selecting("DaemonSet", ["matchLabels": ["app": "web"]])
    let policy: KubeObject = ["spec": ["podSelector": ["matchLabels": ["app": "web"]]]]
    let labels = Self.labels(["app": "web"], Self.surroundings([set], policies: [policy]))
    #expect(labels.labels == [:])
    #expect(labels.omissions.count == 1)
  }
}
