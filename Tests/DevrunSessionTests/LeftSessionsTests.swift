import DevrunCore
import DevrunKube
import Foundation
import Testing

@testable import DevrunSession
@testable import DevrunWorkload

@Suite("Sessions in a namespace")
struct LeftSessionsTests {
  private static let now = Date(timeIntervalSince1970: 1_800_000_000)
  private static let longAgo = now.addingTimeInterval(-86400).formatted(.iso8601)
  private static let justNow = now.addingTimeInterval(-60).formatted(.iso8601)

  private func pod(
    of session: String, ready: Bool, since: String = longAgo, holder: String = "ann@desk", delay: Int64 = 0
  ) -> KubeObject {
    [
      "metadata": [
        "name": .string("web-devrun-\(session)"), "creationTimestamp": .string(since),
        "labels": ["devrun.dev/session": .string(session)],
        "annotations": ["devrun.dev/holder": .string(holder), "devrun.dev/target": "deployment/web"],
      ],
      "spec": ["containers": [["name": "app", "readinessProbe": ["initialDelaySeconds": .int(delay)]]]],
      "status": ["conditions": [["type": "Ready", "status": .string(ready ? "True" : "False")]]],
    ]
  }

  private func map(of session: String, _ name: String, since: String = longAgo, isRecord: Bool = false) -> KubeObject {
    var labels: JSONValue = ["devrun.dev/session": .string(session)]
    if isRecord { labels["devrun.dev/record"] = "original" }
    return ["metadata": ["name": .string(name), "creationTimestamp": .string(since), "labels": labels]]
  }

  private func gather(
    _ redirected: [DeploymentRestore.Redirected] = [], _ pods: [KubeObject] = [], _ maps: [KubeObject] = []
  ) -> [LeftSession] {
    LeftSessions.gather(redirected: redirected, pods: pods, configMaps: maps, now: Self.now)
  }

  @Test func `What belongs to one session is brought together`() throws {
    let redirect = DeploymentRestore.Redirected(
      name: "web", session: "s1", holder: "ann@desk", since: "2027-01-01T00:00:00Z", container: "app")
    let all = gather(
      [redirect], [pod(of: "s1", ready: true)],
      [map(of: "s1", "devrun-s1-0"), map(of: "s1", "devrun-s1-record", isRecord: true)])
    let session = try #require(all.first)
    #expect(all.count == 1)
    #expect(session.what == "deployment/web")
    #expect(session.description == "deployment/web  by ann@desk since 2027-01-01T00:00:00Z")
    #expect(session.pods == ["web-devrun-s1"])
    #expect(session.configMaps == ["devrun-s1-0"], "the record goes with the restore")
    #expect(session.isRedirecting && session.isAlive)
  }

  @Test func `A session lives while a devrun is attached to its pod, or may be about to be`() {
    #expect(gather([], [pod(of: "s", ready: true)])[0].isAlive)
    #expect(!gather([], [pod(of: "s", ready: false)])[0].isAlive)
    #expect(gather([], [pod(of: "s", ready: false, since: Self.justNow)])[0].isAlive)
    #expect(gather([], [pod(of: "s", ready: false, delay: 2_000_000_000)])[0].isAlive, "its readiness says nothing")
    #expect(!gather([], [], [map(of: "s", "devrun-s-0")])[0].isAlive)
    #expect(gather([], [], [map(of: "s", "devrun-s-0", since: Self.justNow)])[0].isAlive)
    #expect(!gather([], [pod(of: "s", ready: false, since: "no time")])[0].isAlive)
  }

  @Test func `A session that never took traffic is named by its target all the same`() {
    let session = gather([], [pod(of: "s", ready: true)])[0]
    #expect(session.deployment == "web")
    #expect(!session.isRedirecting)
    #expect(session.what == "pod/web-devrun-s")
    #expect(session.holder == "ann@desk")
  }
}
