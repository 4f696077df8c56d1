import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

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
