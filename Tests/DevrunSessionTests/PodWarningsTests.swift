import DevrunCore
import DevrunKube
import Testing

@testable import DevrunSession

@Suite("Warnings about a pod")
struct PodWarningsTests {
  static let mount: KubeObject = [
    "reason": "FailedMount", "message": #"MountVolume.SetUp failed for volume "data" : configmap "web" not found"#,
    "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:01:00Z",
  ]
  static let sandbox: KubeObject = [
    "reason": "FailedCreatePodSandBox", "message": "no IP address left", "eventTime": "2026-01-01T00:00:30.000000Z",
    "lastTimestamp": .null,
  ]
  static let series: KubeObject = [
    "reason": "FailedScheduling", "message": "0/3 nodes are available", "eventTime": "2026-01-01T00:00:00.000000Z",
    "series": ["count": 9, "lastObservedTime": "2026-01-01T00:02:00.000000Z"],
  ]

  @Test(
    arguments: [
      ([], nil),
      ([mount], #"FailedMount: MountVolume.SetUp failed for volume "data" : configmap "web" not found"#),
      ([mount, sandbox], #"FailedMount: MountVolume.SetUp failed for volume "data" : configmap "web" not found"#),
      ([sandbox, series, mount], "FailedScheduling: 0/3 nodes are available"),
      ([["reason": "Odd", "metadata": ["creationTimestamp": "2026-01-01T00:00:00Z"]]], "Odd"),
    ] as [([KubeObject], String?)])
  func `The last warning is the one that was seen last`(events: [KubeObject], words: String?) {
    #expect(PodWarnings.last(of: events) == words)
  }
}
