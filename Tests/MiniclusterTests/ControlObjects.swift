import DevrunCore
import DevrunKube
import Foundation

@testable import Minicluster

/// Objects for the tests of controllers.
enum ControlObjects {
  static let time = Date(timeIntervalSince1970: 1_800_000_000)

  static func text(_ seconds: Double) -> String { time.addingTimeInterval(seconds).apiTime }

  /// A Deployment `web` with the defaults of the API.
  static func deployment(
    replicas: Int = 3, surge: JSONValue = "25%", unavailable: JSONValue = "25%", image: String = "web:1"
  ) -> KubeObject {
    [
      "apiVersion": "apps/v1", "kind": "Deployment",
      "metadata": ["name": "web", "namespace": "shop", "uid": "d", "generation": 1, "resourceVersion": "1"],
      "spec": [
        "replicas": .int(Int64(replicas)), "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
        "selector": ["matchLabels": ["app": "web"]],
        "strategy": [
          "type": "RollingUpdate", "rollingUpdate": ["maxSurge": surge, "maxUnavailable": unavailable],
        ],
        "template": template(image: image),
      ],
    ]
  }

  static func template(image: String) -> JSONValue {
    [
      "metadata": ["labels": ["app": "web"]],
      "spec": ["containers": [["name": "web", "image": .string(image)]]],
    ]
  }

  /// A pod that runs.
  static func pod(
    _ name: String, address: String? = nil, isReady: Bool = true, readySince: Double = 0, created: Double = 0,
    labels: [String: String] = ["app": "web"], ports: JSONValue = [["name": "http", "containerPort": 8080]],
    owner: String? = nil
  ) -> KubeObject {
    var pod: KubeObject = [
      "apiVersion": "v1", "kind": "Pod",
      "metadata": [
        "name": .string(name), "namespace": "shop", "uid": .string("uid-\(name)"),
        "creationTimestamp": .string(text(created)), "labels": .object(labels.mapValues(JSONValue.string)),
      ],
      "spec": ["nodeName": "minicluster", "containers": [["name": "web", "ports": ports]]],
      "status": [
        "phase": "Running",
        "conditions": [
          [
            "type": "Ready", "status": isReady ? "True" : "False",
            "lastTransitionTime": .string(text(readySince)),
          ]
        ],
      ],
    ]
    if let address { pod.setStatus("podIP", .string(address)) }
    if let owner {
      pod.metadata["ownerReferences"] = [
        [
          "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": .string(owner), "uid": .string(owner),
          "controller": true,
        ]
      ]
    }
    return pod
  }
}

/// A Deployment with its ReplicaSets, and pods that are ready as soon as a ReplicaSet wants them.
struct SimulatedRollout {
  var deployment: KubeObject
  var sets: [KubeObject] = []
  var pods: [KubeObject] = []
  /// The pods of a template with this image never get ready.
  var brokenImage: String?
  var now = ControlObjects.time
  /// What was seen, as `name old+new`: each change of a ReplicaSet's size.
  var events: [String] = []
  private var count = 0

  init(_ deployment: KubeObject) { self.deployment = deployment }

  var plan: DeploymentPlan {
    DeploymentPlan(DeploymentPlan.Situation(deployment: deployment, sets: sets, pods: pods, now: now))
  }

  /// The images of the ReplicaSets with the replicas that they want.
  var sizes: [String: Int] {
    Dictionary(sets.map { ($0.template.containers.first?.image ?? "", $0.desiredReplicas) }, uniquingKeysWith: { $1 })
  }

  /// Performs one step, then lets the pods follow.
  ///
  /// - Returns: whether the step wrote something.
  @discardableResult
  mutating func step() -> Bool {
    let plan = plan
    for action in plan.actions { perform(action) }
    for index in sets.indices {
      let wanted = sets[index].desiredReplicas
      let isReady = sets[index].template.containers.first?.image != brokenImage
      sets[index].setStatus("replicas", .int(Int64(wanted)))
      for name in ["readyReplicas", "availableReplicas"] {
        sets[index].setStatus(name, .int(Int64(isReady ? wanted : 0)))
      }
      sets[index].setStatus("observedGeneration", .int(Int64(sets[index].generation)))
    }
    now.addTimeInterval(1)
    return !plan.actions.isEmpty
  }

  /// Goes on until nothing is left to do.
  ///
  /// - Returns: the sizes after each step.
  @discardableResult
  mutating func settle() -> [[String: Int]] {
    var seen: [[String: Int]] = []
    for _ in 0..<100 {
      guard step() else { return seen }
      if seen.last != sizes { seen.append(sizes) }
    }
    return seen
  }

  private mutating func perform(_ action: ControllerAction) {
    switch action {
    case .create(_, var set):
      count += 1
      set.metadata["uid"] = .string("set-\(count)")
      set.metadata["generation"] = 1
      set.metadata["creationTimestamp"] = .string(now.apiTime)
      sets.append(set)
    case .update(.replicaSet, let set, _):
      guard let index = sets.firstIndex(where: { $0.name == set.name }) else { return }
      sets[index] = set
    case .update(_, let changed, _): deployment = changed
    case .delete(_, let set, _): sets.removeAll { $0.name == set.name }
    case .event(let event): events.append(event.message)
    }
  }

  /// Gives the Deployment another image.
  mutating func set(image: String) {
    deployment.spec["template"] = ControlObjects.template(image: image)
    deployment.metadata["generation"] = .int(Int64(deployment.generation + 1))
  }

  /// Gives the Deployment another number of replicas.
  mutating func scale(to count: Int) {
    deployment.desiredReplicas = count
    deployment.metadata["generation"] = .int(Int64(deployment.generation + 1))
  }

  func set(ofImage image: String) -> KubeObject? { sets.first { $0.template.containers.first?.image == image } }
}
