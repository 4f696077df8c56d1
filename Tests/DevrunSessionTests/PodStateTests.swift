import DevrunCore
import DevrunKube
import Testing

@testable import DevrunSession

@Suite("State of an agent's pod")
struct PodStateTests {
  static func pod(
    _ state: JSONValue, deleted: Bool = false, last: JSONValue = [:], phase: String = "Running",
    others: [JSONValue] = [], initial: [JSONValue] = [], conditions: [JSONValue] = [], spec: JSONValue = [:]
  ) -> KubeObject {
    var pod: KubeObject = [
      "metadata": ["name": "p"], "spec": spec,
      "status": [
        "phase": .string(phase), "conditions": .array(conditions), "initContainerStatuses": .array(initial),
        "containerStatuses": .array([["name": "app", "state": state, "lastState": last]] + others),
      ],
    ]
    if deleted { pod.metadata["deletionTimestamp"] = "now" }
    return pod
  }

  static func waiting(_ reason: String, _ message: String? = nil) -> JSONValue {
    var waiting: JSONValue = ["reason": .string(reason)]
    if let message { waiting["message"] = .string(message) }
    return ["waiting": waiting]
  }

  static func container(_ name: String, _ state: JSONValue, started: Bool = false) -> JSONValue {
    ["name": .string(name), "state": state, "started": .bool(started)]
  }

  static let backOff = waiting("CrashLoopBackOff", "back-off 10s restarting failed container")

  @Test(
    arguments: [
      (pod(["running": [:]]), PodState.running),
      (pod(["running": [:]], deleted: true), .ending),
      (pod(waiting("ContainerCreating")), .pending("ContainerCreating")),
      (
        pod(backOff, last: ["terminated": ["message": "no room"]]),
        .pending("CrashLoopBackOff: back-off 10s restarting failed container: no room")
      ),
      (
        pod(["terminated": ["reason": "Error", "exitCode": 70, "message": "port 80: permission denied"]]),
        .pending("its container ended: Error: exit code 70: port 80: permission denied")
      ),
      (["metadata": [:], "status": ["phase": "Pending"]], .pending("it is not scheduled yet")),
      (
        ["metadata": [:], "spec": ["nodeName": "n1"], "status": ["phase": "Pending"]],
        .pending("node n1 has not begun with it yet")
      ),
      (
        [
          "metadata": [:],
          "status": [
            "phase": "Pending",
            "conditions": [["type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"]],
          ],
        ], .pending("0/1 nodes are available")
      ),
    ] as [(KubeObject, PodState)])
  func `The state of an agent's pod is read from the pod's status`(pod: KubeObject, expected: PodState) {
    #expect(PodState(pod: pod, container: "app") == expected)
  }

  @Test(
    arguments: [
      ("CreateContainerConfigError", #"secret "db" not found"#),
      ("CreateContainerError", "context deadline exceeded"),
      ("RunContainerError", "failed to create containerd task"),
      ("ErrImagePull", #"rpc error: code = Unknown desc = failed to pull: dial tcp 10.0.0.1:443: i/o timeout"#),
      ("ErrImagePull", "toomanyrequests: You have reached your pull rate limit"),
      ("ErrImagePull", "dial tcp 10.0.0.1:443: connect: permission denied"),
      ("ImagePullBackOff", #"Back-off pulling image "shop/web:v2""#),
    ])
  func `What the kubelet tries again is waited for`(reason: String, message: String) {
    let pod = Self.pod(Self.waiting(reason, message))
    #expect(PodState(pod: pod, container: "app") == .pending("\(reason): \(message)"))
  }

  @Test(
    arguments: [
      ("InvalidImageName", #"couldn't parse image reference "a b""#),
      ("ErrImageNeverPull", #"Container image "x" is not present with pull policy of Never"#),
      (
        "ErrImagePull",
        "pull access denied, repository does not exist or may require authorization: server message: "
          + "insufficient_scope: authorization failed"
      ),
      ("ErrImagePull", "unexpected status code 401 Unauthorized"),
      ("ImagePullBackOff", #"Back-off pulling image "x": ErrImagePull: 403 Forbidden"#),
    ])
  func `An image that may not be pulled is hopeless`(reason: String, message: String) {
    let pod = Self.pod(Self.waiting(reason, message))
    #expect(PodState(pod: pod, container: "app") == .hopeless("\(reason): \(message)"))
    let initial = Self.pod(
      Self.waiting("PodInitializing"), initial: [Self.container("setup", Self.waiting(reason, message))])
    #expect(PodState(pod: initial, container: "app") == .hopeless("init container setup: \(reason): \(message)"))
  }

  @Test(
    arguments: [
      ("OutOfcpu", "Pod Node didn't have enough resource: cpu"),
      ("NodeShutdown", "Pod was rejected as the node is shutting down."),
      ("UnexpectedAdmissionError", "Allocate failed due to no healthy devices present"),
      ("Evicted", "The node was low on resource: memory."),
    ])
  func `A pod that the kubelet rejects is told from one that waits`(reason: String, message: String) {
    let pod: KubeObject = [
      "metadata": [:], "status": ["phase": "Failed", "reason": .string(reason), "message": .string(message)],
    ]
    #expect(PodState(pod: pod, container: "app") == .rejected("\(reason): \(message)"))
  }

  @Test func `A pod whose containers have ended is rejected with how its own ended`() {
    let pod = Self.pod(["terminated": ["reason": "Error", "exitCode": 66]], phase: "Failed")
    #expect(PodState(pod: pod, container: "app") == .rejected("Error: exit code 66"))
    let done = Self.pod(["terminated": ["reason": "Completed", "exitCode": 0]], phase: "Succeeded")
    #expect(PodState(pod: done, container: "app") == .rejected("Completed: exit code 0"))
  }

  @Test(
    arguments: [
      (
        [container("setup", backOff)],
        "init container setup: CrashLoopBackOff: back-off 10s restarting failed container"
      ),
      ([container("setup", ["running": [:]])], "init container setup is running"),
      (
        [container("setup", ["terminated": ["reason": "Error", "exitCode": 3]])],
        "init container setup: Error: exit code 3"
      ),
      (
        [
          container("setup", ["terminated": ["reason": "Completed", "exitCode": 0]]),
          container("migrate", ["running": [:]]), container("last", waiting("PodInitializing")),
        ], "init container migrate is running"
      ),
      ([container("proxy", ["running": [:]], started: true)], "PodInitializing"),
      ([container("proxy", ["running": [:]])], "init container proxy is running"),
      ([container("setup", ["terminated": ["exitCode": 0]])], "PodInitializing"),
    ] as [([JSONValue], String)])
  func `An init container that is not done is what the pod waits for`(initial: [JSONValue], words: String) {
    let pod = Self.pod(
      Self.waiting("PodInitializing"), initial: initial,
      spec: ["initContainers": [["name": "proxy", "restartPolicy": "Always"]]])
    #expect(PodState(pod: pod, container: "app") == .pending(words))
  }

  private static let notReady: JSONValue = ["type": "Ready", "status": "False"]

  @Test(
    arguments: [
      (pod(["running": [:]], conditions: [["type": "Ready", "status": "True"]]), nil),
      (pod(waiting("ContainerCreating"), conditions: [notReady]), nil),
      (
        pod(["running": [:]], others: [container("nginx", backOff)], conditions: [notReady]),
        "container nginx: CrashLoopBackOff: back-off 10s restarting failed container"
      ),
      (
        pod(["running": [:]], initial: [container("proxy", backOff)], conditions: [notReady]),
        "container proxy: CrashLoopBackOff: back-off 10s restarting failed container"
      ),
      (
        pod(
          ["running": [:]],
          conditions: [
            notReady,
            ["type": "ContainersReady", "status": "False", "message": "containers with unready status: [app]"],
          ]), "containers with unready status: [app]"
      ),
      (
        pod(["running": [:]], conditions: [notReady], spec: ["readinessGates": [["conditionType": "lb.test/healthy"]]]),
        "readiness gate lb.test/healthy is not met"
      ),
      (
        pod(
          ["running": [:]],
          conditions: [
            notReady,
            ["type": "lb.test/healthy", "status": "False", "reason": "Initial", "message": "target is unhealthy"],
          ], spec: ["readinessGates": [["conditionType": "lb.test/healthy"]]]),
        "readiness gate lb.test/healthy is not met: Initial: target is unhealthy"
      ),
    ] as [(KubeObject, String?)])
  func `What keeps a running pod from being ready is in the cluster's words`(pod: KubeObject, words: String?) {
    #expect(PodState.unreadiness(of: pod, container: "app") == words)
  }
}
