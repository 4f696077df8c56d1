import DevrunCore
import DevrunKube
import Testing

@testable import DevrunSession

@Suite("State of an agent's pod")
struct PodStateTests {
  static func pod(_ state: JSONValue, deleted: Bool = false, last: JSONValue = [:]) -> KubeObject {
    var pod: KubeObject = [
      "metadata": ["name": "p"],
      "status": ["phase": "Running", "containerStatuses": [["name": "app", "state": state, "lastState": last]]],
    ]
    if deleted { pod.metadata["deletionTimestamp"] = "now" }
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
    ] as [(KubeObject, PodState)])
  func `The state of an agent's pod is read from the pod's status`(pod: KubeObject, expected: PodState) {
    #expect(PodState(pod: pod, container: "app") == expected)
  }
}
