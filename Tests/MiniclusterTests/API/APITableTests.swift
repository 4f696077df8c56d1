import DevrunCore
import DevrunKube
import NIOCore
import Testing

@testable import Minicluster

@Suite("The minicluster's tables")
struct APITableTests {
  private static func pod(_ status: JSONValue, isTerminating: Bool = false) -> KubeObject {
    var pod: KubeObject = ["metadata": ["name": "web"], "spec": ["containers": [["name": "a"], ["name": "b"]]]]
    pod.json["status"] = status
    if isTerminating { pod.metadata["deletionTimestamp"] = "2026-11-26T16:00:00Z" }
    return pod
  }

  private static let running: JSONValue = ["name": "a", "ready": true, "state": ["running": [:]]]
  private static let broken: JSONValue = [
    "name": "b", "ready": false, "restartCount": 3, "state": ["waiting": ["reason": "CrashLoopBackOff"]],
  ]

  static let summaries: [(JSONValue, Bool, String, Int)] = [
    (["phase": "Pending"], false, "Pending", 0),
    (["phase": "Running", "containerStatuses": [running]], false, "Running", 1),
    (["phase": "Running", "containerStatuses": [running, broken]], false, "CrashLoopBackOff", 1),
    (["phase": "Running", "containerStatuses": [running]], true, "Terminating", 1),
    (
      [
        "phase": "Pending", "initContainerStatuses": [["state": ["running": [:]]]],
      ], false, "Init:0/0", 0
    ),
    (
      ["phase": "Failed", "containerStatuses": [["state": ["terminated": ["exitCode": 3]]]]], false, "ExitCode:3", 0
    ),
    (["phase": "Failed", "reason": "Evicted"], false, "Evicted", 0),
  ]

  @Test(arguments: summaries)
  func `A pod's status is shown as kubectl shows it`(
    _ status: JSONValue, isTerminating: Bool, reason: String, ready: Int
  ) {
    let summary = PodSummary(Self.pod(status, isTerminating: isTerminating))
    #expect(summary.reason == reason)
    #expect(summary.ready == ready)
  }

  @Test(arguments: [
    (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"), (10_799, "179m"), (10_800, "3h"),
    (11_100, "3h5m"), (28_800, "8h"), (172_800, "2d"), (176_400, "2d1h"), (691_200, "8d"), (63_072_000, "2y"),
    (-5, "<invalid>"),
  ])
  func `A time is shown in two units at most`(_ seconds: Int, _ text: String) {
    #expect(HumanDuration.text(seconds: seconds) == text)
  }

  @Test(arguments: ObjectKind.all)
  func `Each kind has as many cells as columns`(_ kind: ObjectKind) {
    let table = Table(kind)
    #expect(table.cells(["metadata": ["name": "x"]]).count == table.columns.count)
    #expect(table.columns.contains { $0.format == "name" })
  }

  @Test func `Only the first table of a watch describes its columns`() throws {
    var lines = WatchLines(form: .table(.none), kind: .configMap, hasBookmarks: false)
    let object: KubeObject = ["metadata": ["name": "x", "resourceVersion": "7"]]
    let tables = try [ObjectStore.Change.added(object), .modified(object)].compactMap { lines.line(of: $0) }
      .map { try JSONValue(text: $0.readableBytesView)["object"] }
    #expect(tables.map { $0?["columnDefinitions"]?.array?.count } == [3, nil])
    #expect(tables.map { $0?[path: "metadata", "resourceVersion"] } == ["7", "7"])
    #expect(lines.line(of: .bookmark(resourceVersion: 8)) == nil)
  }
}
