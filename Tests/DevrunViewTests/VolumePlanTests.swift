import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunPlan
import TestSupport
import Testing

@testable import DevrunView

@Suite("Plan of a container's volumes")
struct VolumePlanTests {
  /// A pod with a volume of each kind, and some mounted twice.
  static let container = ContainerVolumes(
    of: [
      "spec": [
        "volumes": [
          ["name": "settings", "configMap": ["name": "s"]], ["name": "keys", "secret": ["secretName": "k"]],
          ["name": "token", "projected": ["sources": []]], ["name": "labels", "downwardAPI": [:]],
          ["name": "scratch", "emptyDir": [:]], ["name": "vault", "csi": ["driver": "d"]],
          ["name": "data", "persistentVolumeClaim": ["claimName": "d"]], ["name": "node", "hostPath": ["path": "/"]],
          ["name": "devrun-run", "emptyDir": [:]],
        ],
        "containers": [
          ["name": "other", "volumeMounts": [["name": "settings", "mountPath": "/other"]]],
          [
            "name": "app",
            "volumeMounts": [
              ["name": "settings", "mountPath": "/etc/app/one.conf", "subPath": "one.conf"],
              ["name": "settings", "mountPath": "/etc/app-all"], ["name": "keys", "mountPath": "/etc/keys"],
              ["name": "token", "mountPath": "/var/run/secrets/token"], ["name": "labels", "mountPath": "/etc/labels"],
              ["name": "scratch", "mountPath": "/tmp"], ["name": "vault", "mountPath": "/mnt/vault"],
              ["name": "data", "mountPath": "/data"], ["name": "node", "mountPath": "/node"],
              ["name": "devrun-run", "mountPath": "/.devrun-run"],
            ],
          ],
        ],
      ]
    ], container: "app")

  private func plan(_ uses: [LocalEnvFile.VolumeUse] = [], choice: VolumeChoice = .all) -> VolumePlan {
    VolumePlan(Self.container, uses: uses, choice: choice) {
      $0 == "/tmp" ? PlaceObstacle("it is there", isOccupied: true) : nil
    }
  }

  @Test func `Volumes appear at their own paths, except persistent ones and those at occupied paths`() {
    let plan = plan()
    #expect(
      plan.items.map(\.targets) == [
        ["/etc/app/one.conf"], ["/etc/app-all"], ["/etc/keys"], ["/var/run/secrets/token"], ["/etc/labels"],
        ["/mnt/vault"],
      ])
    #expect(plan.items.allSatisfy { !$0.isNamed })
    #expect(plan.omissions.map(\.volume) == ["scratch", "data", "node"])
    #expect(plan.omissions.map(\.path) == ["/tmp", "/data", "/node"])
    #expect(plan.omissions[0].why == "it is there")
  }

  @Test func `A volume that does not appear is reported with a warning, unless an empty one has a folder there`() throws
  {
    let plan = VolumePlan(Self.container, uses: [.init(volume: "settings", mountPath: "/x")]) { _ in
      PlaceObstacle("here", isOccupied: true)
    }
    let missed = plan.omissions.filter(\.isMissed)
    #expect(missed.contains { $0.path == "/etc/keys" } && missed.contains { $0.path == "/var/run/secrets/token" })
    #expect(!missed.contains { $0.path == "/tmp" || $0.volume == "settings" || $0.volume == "data" })
    let keys = try #require(missed.first { $0.path == "/etc/keys" })
    guard case .warning(let message) = keys.event else { throw TestFailure("\(keys.event)") }
    #expect(
      message.description == """
        volume keys does not appear at /etc/keys
        here
        to have it all the same, give it a path in azds-local.env: NAME=${volumes.keys|/other/path}
        """)
    let unseen = VolumePlan(Self.container, uses: [], showsPaths: false) { _ in nil }
    #expect(unseen.omissions.count == 9 && !unseen.omissions.contains(where: \.isMissed) && unseen.items.isEmpty)
  }

  @Test func `An empty volume at a missing path is reported with the path that a file may give it`() throws {
    let plan = VolumePlan(Self.container, uses: []) { _ in PlaceObstacle("missing", mayBeAskedFor: true) }
    let scratch = try #require(plan.omissions.first { $0.volume == "scratch" })
    guard case .warning(let message) = scratch.event else { throw TestFailure("\(scratch.event)") }
    #expect(message.description.hasSuffix("NAME=${volumes.scratch|/tmp}"))
  }

  @Test func `A named volume is copied whatever its kind, and appears where it is requested as well`() {
    let plan = plan([
      .init(volume: "data"), .init(volume: "keys", mountPath: "/my/keys"), .init(volume: "settings"),
      .init(volume: "scratch", mountPath: "/tmp"),
    ])
    let keys = plan.items.filter { $0.volume.name == "keys" }
    #expect(keys.map(\.targets) == [["/my/keys", "/etc/keys"]])
    #expect(keys.allSatisfy { $0.isNamed })
    #expect(plan.items.filter { $0.volume.name == "data" }.map(\.targets) == [[]])
    // The whole volume and its one file are two copies, of which the first is the named one.
    let settings = plan.items.filter { $0.volume.name == "settings" }
    #expect(settings.map(\.volume.mountPath) == ["/etc/app-all", "/etc/app/one.conf"])
    #expect(settings.map(\.isNamed) == [true, false])
    #expect(plan.items.filter { $0.volume.name == "scratch" }.map(\.targets) == [["/tmp"]])
    #expect(plan.omissions.map(\.volume) == ["data", "node"])
  }

  @Test func `Only volumes that a file names are copied if no command is to see the others`() {
    let plan = plan([.init(volume: "data"), .init(volume: "keys", mountPath: "/my/keys")], choice: .named)
    #expect(plan.items.map(\.volume.name) == ["data", "keys"])
    #expect(plan.omissions.isEmpty)
  }

  @Test(arguments: ["..", ".", "a/../../b", "/etc", "", "A"])
  func `A volume whose name the API server would not admit is not taken, since its name becomes a folder's`(
    name: String
  ) {
    let pod: KubeObject = [
      "spec": [
        "volumes": [["name": .string(name), "emptyDir": [:]]],
        "containers": [["name": "app", "volumeMounts": [["name": .string(name), "mountPath": "/data"]]]],
      ]
    ]
    let container = ContainerVolumes(of: pod, container: "app")
    #expect(container.volumes.isEmpty && container.mounts.isEmpty)
  }
}
