import DevrunCore
import DevrunKube
import Testing

@testable import DevrunSession
@testable import DevrunWorkload

/// Ann restores. The namespace has the Deployments `web`, which session `s1` redirects, and `idle`.
@Suite("What the names of a restore mean")
struct RestoreSearchTests {
  private static func pod(
    _ session: String, of target: String?, holder: String = "bob@desk", live: Bool = true
  ) -> KubeObject {
    var pod: KubeObject = [
      "metadata": [
        "name": .string((target.map { $0 + "-" } ?? "") + "devrun-\(session)"),
        "creationTimestamp": "2020-01-01T00:00:00Z", "labels": ["devrun.dev/session": .string(session)],
      ],
      "status": ["conditions": [["type": "Ready", "status": .string(live ? "True" : "False")]]],
    ]
    pod.annotations["devrun.dev/holder"] = holder
    if let target { pod.annotations["devrun.dev/target"] = "deployment/\(target)" }
    return pod
  }

  private static func map(_ session: String, _ name: String) -> KubeObject {
    [
      "metadata": [
        "name": .string(name), "creationTimestamp": "2020-01-01T00:00:00Z",
        "labels": ["devrun.dev/session": .string(session)],
      ]
    ]
  }

  private static let redirect = DeploymentRestore.Redirected(
    name: "web", session: "s1", holder: "bob@desk", since: "t", container: "app")

  private static func search(
    _ pods: [KubeObject] = [], maps: [KubeObject]? = [],
    redirected: @escaping @Sendable (String) throws -> [DeploymentRestore.Redirected]? = { name in
      ["web": [redirect], "idle": []][name]
    }
  ) -> RestoreSearch {
    RestoreSearch(
      pods: pods, configMaps: maps, holder: "ann@desk", redirected: { try redirected($0) },
      allRedirected: { [redirect] },
      deployment: { target in
        guard target.kind.singular == "service", target.name == "web" else {
          throw WorkloadError.targetNotFound("\(target)", namespace: "ns", candidates: [])
        }
        return "web"
      })
  }

  private static func choice(_ search: RestoreSearch, _ names: String...) async throws -> RestoreChoice {
    await search.sessions(named: try names.map { try RestoreReference(parsing: $0) })
  }

  private static let pods = [
    pod("s1", of: "web"), pod("s2", of: "web"), pod("s3", of: "web", holder: "ann@desk"),
    pod("s4", of: "web", live: false), pod("s5", of: "idle"), pod("s6", of: nil),
  ]

  @Test(arguments: ["deployment/web", "service/web"])
  func `A Deployment's name does not mean live sessions of others that only run beside it`(name: String) async throws {
    let choice = try await Self.choice(Self.search(Self.pods), name)
    #expect(choice.chosen.map(\.name) == ["s1", "s3", "s4"])
    #expect(choice.leftAlone.map(\.what) == ["pod/web-devrun-s2"])
    #expect(choice.failures.isEmpty)
  }

  @Test func `Without a name everything is ended but live sessions of others`() {
    let sessions = LeftSessions.gather(redirected: [Self.redirect], pods: Self.pods, configMaps: [])
    let choice = RestoreChoice.all(sessions, holder: "ann@desk")
    #expect(choice.chosen.map(\.name) == ["s3", "s4"])
    #expect(choice.leftAlone.map(\.name).sorted() == ["s1", "s2", "s5", "s6"])
  }

  @Test func `Each name in the list of what sessions have left means that session`() async throws {
    let maps = [Self.map("s1", "devrun-s1-0"), Self.map("s7", "devrun-s7-loader")]
    let sessions = LeftSessions.gather(redirected: [Self.redirect], pods: Self.pods, configMaps: maps)
    #expect(sessions.count == 7)
    for session in sessions {
      let choice = try await Self.choice(Self.search(Self.pods, maps: maps), session.what)
      #expect(choice.chosen.contains { $0.name == session.name }, "\(session.what)")
      #expect(choice.failures.isEmpty, "\(session.what)")
    }
  }

  @Test(arguments: ["pod/web-devrun-s1", "configmap/devrun-s1-0", "cm/devrun-s1-0"])
  func `A session is ended whole, whichever of its objects is named`(name: String) async throws {
    let maps = [Self.map("s1", "devrun-s1-0")]
    let choice = try await Self.choice(Self.search(Self.pods, maps: maps), name)
    let session = try #require(choice.chosen.first)
    #expect(choice.chosen.count == 1)
    #expect(session.isRedirecting)
    #expect(session.pods == ["web-devrun-s1"])
    #expect(session.configMaps == ["devrun-s1-0"])
  }

  @Test func `A name that cannot be restored holds up no other`() async throws {
    let names = ["deployment/none", "configmap/app-config", "pod/app-1"]
    let choice = try await Self.choice(
      Self.search(Self.pods), names[0], names[1], names[2], "deployment/idle", "pod/devrun-s6")
    #expect(choice.chosen.map(\.name) == ["s6"])
    #expect(choice.leftAlone.map(\.name) == ["s5"])
    #expect(choice.failures.count == 3)
    for (failure, name) in zip(choice.failures, names) { #expect(failure.hasPrefix("\(name): ")) }
  }

  @Test func `What is left of sessions of a Deployment that was deleted is found by its name`() async throws {
    let choice = try await Self.choice(Self.search([Self.pod("s8", of: "gone", live: false)]), "deployment/gone")
    #expect(choice.chosen.map(\.what) == ["pod/gone-devrun-s8"])
    #expect(choice.failures.isEmpty)
  }

  @Test func `The record suffices where neither pods nor ConfigMaps may be listed`() async throws {
    let choice = try await Self.choice(Self.search([], maps: nil), "deployment/web")
    #expect(choice.chosen.map(\.what) == ["deployment/web"])
  }

  @Test func `A named pod goes with its ConfigMaps where neither they nor the Deployment may be read`() async throws {
    var pod = Self.pod("s2", of: "web")
    let sources: JSONValue = [["configMap": ["name": "devrun-s2-loader"]], ["configMap": ["name": "app-config"]]]
    pod.volumes = [["name": "devrun-payload", "projected": ["sources": sources]]]
    let search = Self.search([pod], maps: nil) { _ in
      throw KubeError.status(APIStatus(code: 403, message: "no"), request: "get", context: "c")
    }
    let choice = try await Self.choice(search, "pod/web-devrun-s2")
    #expect(choice.chosen.first?.configMaps == ["devrun-s2-loader"])
    #expect(choice.failures.isEmpty)
    #expect(try await Self.choice(search, "deployment/web").failures.count == 1)
  }

  @Test func `An object that has a session's label and no name of a session's is nobody's`() async throws {
    let maps = [Self.map("s9", "app-config"), Self.map("s9", "devrun-s8-loader")]
    var pod = Self.pod("s9", of: "web")
    pod.metadata["name"] = "web-1"
    #expect(LeftSessions.gather(redirected: [], pods: [pod], configMaps: maps).isEmpty)
    let choice = try await Self.choice(Self.search([pod], maps: maps), "configmap/app-config", "pod/web-1")
    #expect(choice.chosen.isEmpty)
    #expect(choice.failures.count == 2)
  }
}
