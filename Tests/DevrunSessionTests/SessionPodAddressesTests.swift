import DevrunCore
import DevrunKube
import Testing

@testable import DevrunSession

@Suite("Addresses of the session's pod") struct SessionPodAddressesTests {
  @Test(
    arguments: [
      (["podIP": "10.244.0.7", "podIPs": [["ip": "10.244.0.7"], ["ip": "fd00::7"]]], ["10.244.0.7", "fd00::7"]),
      (["podIP": "10.244.0.7"], ["10.244.0.7"]), (["podIPs": []], []), ([:], []),
      (["podIP": "no address"], []), (["podIP": "127.0.0.1"], []),
    ] as [(JSONValue, [String])])
  func `A pod has the addresses of its status, one or one of each family`(status: JSONValue, expected: [String]) {
    var pod: KubeObject = ["spec": ["hostNetwork": false]]
    pod.json["status"] = status
    #expect(pod.podAddresses.map(\.description) == expected)
    pod.spec["hostNetwork"] = true
    #expect(pod.podAddresses == [])
  }
}
