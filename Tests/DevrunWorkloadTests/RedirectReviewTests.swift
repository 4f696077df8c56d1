import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

/// The team's template is `AgentTemplateTests.original`, redirected by session `s1`.
@Suite("Changes by colleagues in mid-session")
struct RedirectReviewTests {
  private static let agent = AgentTemplateTests.agent
  private static let original = AgentTemplateTests.original

  private static func record() throws -> OriginalRecord {
    OriginalRecord(
      session: "s1", holder: "me@laptop", since: "2026-01-02T03:04:05Z", container: "app", template: original,
      applied: try agent.applied(to: original), revisionHistoryLimit: 10, hadAnnotations: true,
      managedFields: [["manager": "kubectl"]], configMaps: [])
  }

  /// The Deployment as the swap left it.
  private static func redirected() throws -> KubeObject {
    let record = try record()
    return [
      "metadata": [
        "name": "web", "resourceVersion": "7", "managedFields": [["manager": "kubectl"]],
        "annotations": [OriginalRecord.annotation: .string(try record.annotationValue())],
      ],
      "spec": [
        "revisionHistoryLimit": .int(DeploymentRedirect.raisedHistoryLimit), "template": record.applied?.json ?? [:],
      ],
    ]
  }

  @Test func `The team's own template is that of the Deployment without the agent and with colleagues' changes`() throws
  {
    let plain = Workload(object: ["metadata": ["name": "web"], "spec": ["template": Self.original.json]])
    #expect(try plain.withoutAgent().template == Self.original)
    var redirected = try Self.redirected()
    #expect(try Workload(object: redirected).withoutAgent().template == Self.original)
    redirected.template.annotations["example.com/restarted"] = "now"
    var expected = Self.original
    expected.annotations["example.com/restarted"] = "now"
    #expect(try Workload(object: redirected).withoutAgent().template == expected)
  }

  /// What a colleague does, and what the team's template is then; `nil` where devrun has nothing to set again.
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var change: @Sendable (inout KubeObject) -> Void
    var theirs: (@Sendable (inout KubeObject) -> Void)?
  }

  private static func app(_ template: inout KubeObject, _ change: (inout Container) -> Void) {
    var containers = template.containers
    for index in containers.indices where containers[index].name == "app" { change(&containers[index]) }
    template.containers = containers
  }

  private static let cases: [Case] = [
    Case(testDescription: "nothing") { _ in },
    Case(testDescription: "scales it") { $0.spec["replicas"] = 7 },
    Case(testDescription: "sets another image") { app(&$0.template) { $0.json["image"] = "a:2" } },
    Case(testDescription: "restarts it") { $0.template.annotations["kubectl.kubernetes.io/restartedAt"] = "now" },
    Case(testDescription: "adds a volume before devrun's, and an order of its own") { deployment in
      deployment.template.volumes = [["name": "new", "emptyDir": [:]]] + deployment.template.volumes.reversed()
    },
    Case(
      testDescription: "applies the manifest: its probe is back",
      change: { deployment in
        app(&deployment.template) { $0.json["livenessProbe"] = ["httpGet": ["path": "/", "port": 80]] }
      }, theirs: { _ in }),
    Case(
      testDescription: "applies a manifest with another command, which leaves devrun's annotation",
      change: { deployment in app(&deployment.template) { $0.json["command"] = ["run2"] } },
      theirs: { template in app(&template) { $0.json["command"] = ["run2"] } }),
    Case(
      testDescription: "applies a new image and a hook",
      change: { deployment in
        app(&deployment.template) {
          $0.json["image"] = "a:2"
          $0.json["lifecycle"] = ["preStop": ["exec": ["command": ["bye"]]]]
        }
      },
      theirs: { template in app(&template) { $0.json["image"] = "a:2" } }),
    Case(
      testDescription: "takes devrun's mounts away",
      change: { deployment in
        app(&deployment.template) { $0.volumeMounts = [["name": "config", "mountPath": "/etc/app"]] }
      }, theirs: { _ in }),
    Case(
      testDescription: "takes devrun's volumes and node selector away",
      change: { deployment in
        deployment.template.volumes = [["name": "config", "configMap": ["name": "c"]]]
        deployment.template.spec["nodeSelector"] = nil
      }, theirs: { _ in }),
  ]

  @Test(arguments: cases) func `Devrun's own fields are set again and what was really changed stays`(_ row: Case) throws
  {
    let record = try Self.record()
    var live = try Self.redirected()
    row.change(&live)
    let review = RedirectReview.of(live, record: record, agent: Self.agent)
    guard let change = row.theirs else { return #expect(review == .untouched) }
    var theirs = Self.original
    change(&theirs)
    guard case .setAgain(let renewed, let template) = review else {
      Issue.record("nothing is set again: \(review)")
      return
    }
    #expect(renewed.template.isTemplateInAnyOrder(of: theirs))
    #expect(template == renewed.applied)
    #expect(try template == Self.agent.applied(to: renewed.template))
    // At the end of the session it is theirs again.
    let end = ThreeWayMerge.undo(
      original: renewed.template.json, changed: renewed.applied?.json, current: template?.json)
    #expect(end == renewed.template.json)
  }

  @Test func `A lower history limit is raised again and remembered`() throws {
    var live = try Self.redirected()
    live.spec["revisionHistoryLimit"] = 3
    var renewed = try Self.record()
    renewed.revisionHistoryLimit = 3
    #expect(RedirectReview.of(live, record: try Self.record(), agent: Self.agent) == .setAgain(renewed, template: nil))
  }

  @Test func `A record that was taken away is written again`() throws {
    var live = try Self.redirected()
    live.annotations = [:]
    let record = try Self.record()
    #expect(RedirectReview.of(live, record: record, agent: Self.agent) == .setAgain(record, template: nil))
  }

  @Test(
    arguments: [
      ("rollout undo", { @Sendable in $0.template = original }),
      ("another session", { @Sendable in $0.template.annotations[SessionMark.key] = "s2" }),
      ("the container is gone", { @Sendable in $0.template.containers.removeLast() }),
      ("other machines", { @Sendable in $0.template.spec["nodeSelector"] = ["kubernetes.io/arch": "arm64"] }),
    ] as [(String, @Sendable (inout KubeObject) -> Void)])
  func `A redirection that was taken away is not set up again`(
    what: String, change: @Sendable (inout KubeObject) -> Void
  ) throws {
    var live = try Self.redirected()
    change(&live)
    #expect(RedirectReview.of(live, record: try Self.record(), agent: Self.agent) == .removed)
  }

  @Test func `The last manager is who wrote the template last`() {
    func entry(_ manager: String, _ field: String, _ time: String) -> JSONValue {
      [
        "manager": .string(manager), "time": .string(time), "fieldsV1": ["f:spec": .object([field: [:]])],
      ]
    }
    let deployment: KubeObject = [
      "metadata": [
        "managedFields": [
          entry("helm", "f:template", "2026-01-01T10:00:00Z"), entry("argocd", "f:template", "2026-01-01T10:00:05Z"),
          entry("hpa", "f:replicas", "2026-01-01T10:00:07Z"), entry("devrun", "f:template", "2026-01-01T10:00:09Z"),
        ]
      ]
    ]
    #expect(RedirectReview.lastManager(of: deployment) == "argocd")
    #expect(RedirectReview.lastManager(of: [:]) == nil)
  }

  @Test func `A removal is a restore's if one is under way, or if the record went and nobody else wrote`() throws {
    func written(at time: String) -> JSONValue {
      [["manager": "kubectl", "time": .string(time), "fieldsV1": ["f:spec": ["f:template": [:]]]]]
    }
    var live = try Self.redirected()
    live.metadata["managedFields"] = written(at: "2026-01-01T10:00:00Z")
    let before = RedirectReview.writers(of: live)
    func remover(before: Set<String>?, restoring: Bool = false) -> String? {
      RedirectReview.remover(of: live, session: "s1", writersBefore: before, isBeingRestored: restoring)
    }
    #expect(remover(before: before) == "kubectl", "a rollout undo leaves the record")
    #expect(remover(before: before, restoring: true) == "devrun restore")
    live.annotations = [:]
    #expect(remover(before: before) == "devrun restore")
    #expect(remover(before: nil) == "kubectl", "nobody saw who had written before")
    live.metadata["managedFields"] = written(at: "2026-01-01T10:00:09Z")
    #expect(remover(before: before) == "kubectl", "kubectl replace takes the record away too")
  }

  @Test func `Whoever resets devrun's fields three times within a minute is a controller`() {
    let start = ContinuousClock.now
    var count = ResetCount()
    #expect(!count.isController("argo", at: start))
    count.count("argo", at: start)
    count.count("me", at: start)
    #expect(!count.isController("argo", at: start + .seconds(10)))
    count.count("argo", at: start + .seconds(10))
    #expect(count.isController("argo", at: start + .seconds(20)))
    #expect(!count.isController("me", at: start + .seconds(20)))
    #expect(!count.isController("argo", at: start + .seconds(65)))
  }
}
