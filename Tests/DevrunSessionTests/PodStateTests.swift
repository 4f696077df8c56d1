import DevrunCore
import Testing

@testable import DevrunSession

@Suite("State of an agent's pod")
struct PodStateTests {
  static func pod(_ state: JSONValue, deleted: Bool = false, last: JSONValue = [:]) -> JSONValue {
    var pod: JSONValue = [
      "metadata": ["name": "p"],
      "status": ["phase": "Running", "containerStatuses": [["name": "app", "state": state, "lastState": last]]],
    ]
    if deleted { pod["metadata"]?["deletionTimestamp"] = "now" }
    return pod
  }

  @Test(
    arguments: [
      (pod(["running": [:]]), PodState.running),
      (pod(["running": [:]], deleted: true), .ending),
      (pod(["waiting": ["reason": "ContainerCreating"]]), .pending("ContainerCreating")),
      (
        pod(
          ["waiting": ["reason": "CrashLoopBackOff", "message": "back-off"]],
          last: ["terminated": ["message": "no room"]]), .failed("CrashLoopBackOff: back-off: no room")
      ),
      (
        pod(["terminated": ["reason": "Error", "exitCode": 70, "message": "port 80: permission denied"]]),
        .failed("Error: exit code 70: port 80: permission denied")
      ),
      (["metadata": [:], "status": ["phase": "Pending"]], .pending("it is not scheduled yet")),
      (
        [
          "metadata": [:],
          "status": [
            "phase": "Pending",
            "conditions": [["type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"]],
          ],
        ], .pending("0/1 nodes are available")
      ),
      (
        ["metadata": [:], "status": ["phase": "Failed", "reason": "Evicted", "message": "low on memory"]],
        .failed("Evicted: low on memory")
      ),
    ] as [(JSONValue, PodState)])
  func `The state of an agent's pod is read from the pod's status`(pod: JSONValue, expected: PodState) {
    #expect(PodState(pod: pod, container: "app") == expected)
  }
}

@Suite("End of a pod")
struct EndedPodTests {
  @Test(
    arguments: [
      ([["terminated": ["exitCode": 0]]], true),
      ([["running": [:]]], false),
      ([["terminated": ["exitCode": 0]], ["running": [:]]], false),
      // A container that the kubelet removed before it had looked at its end.
      ([["waiting": ["reason": "ContainerCreating"]]], true),
      ([], false),
    ] as [([JSONValue], Bool)])
  func `A pod has ended if it has containers and none of them is running`(states: [JSONValue], expected: Bool) {
    let statuses = states.map { state -> JSONValue in ["name": "app", "state": state] }
    #expect(EndingPods.hasEnded(["status": ["containerStatuses": .array(statuses)]]) == expected)
  }
}

@Suite("Namespaces of the service watch")
struct ServiceWatchTests {
  @Test func `The service watch tries each namespace once and leaves out the session's own`() {
    #expect(ServiceWatch.candidates(["b", "own", "a", "b", "c"], beside: "own") == ["b", "a", "c"])
  }
}

@Suite("Owners of fields")
struct ManagedFieldsTests {
  @Test func `Restored field owners are the recorded ones and later ones, without devrun`() {
    let recorded: JSONValue = [
      ["manager": "kubectl", "operation": "Update", "fieldsV1": ["f:spec": ["f:template": [:]]], "time": "1"],
      ["manager": "kcm", "operation": "Update", "fieldsV1": ["f:status": [:]], "time": "1"],
    ]
    let current: JSONValue = [
      ["manager": "kubectl", "operation": "Update", "fieldsV1": ["f:metadata": [:]], "time": "1"],
      ["manager": "devrun", "operation": "Update", "fieldsV1": ["f:spec": ["f:template": [:]]]],
      ["manager": "kcm", "operation": "Update", "fieldsV1": ["f:status": ["f:x": [:]]], "time": "2"],
      ["manager": "hpa", "operation": "Update", "fieldsV1": ["f:spec": ["f:replicas": [:]]], "time": "3"],
    ]
    #expect(
      ManagedFields.restored(recorded: recorded, current: current) == [
        [
          "manager": "kubectl", "operation": "Update", "fieldsV1": ["f:spec": ["f:template": [:]], "f:metadata": [:]],
          "time": "1",
        ],
        ["manager": "kcm", "operation": "Update", "fieldsV1": ["f:status": ["f:x": [:]]], "time": "2"],
        ["manager": "hpa", "operation": "Update", "fieldsV1": ["f:spec": ["f:replicas": [:]]], "time": "3"],
      ])
  }
}
