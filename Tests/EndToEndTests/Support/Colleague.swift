import DevrunPlan
import DevrunCore
import Foundation
import TestSupport
import Testing

/// What a colleague does to the Deployment `team` (`fixtures/cluster/team.yaml`), who has never heard of devrun.
enum TeamChange: String, Sendable {
  case unchangedApply, applyWithVariable, unchangedServerSideApply, serverSideApplyWithVariable
  case image, variable, scale, restart, label, strategy

  /// Whether the change writes what devrun has written, which is set again then.
  var resetsProbes: Bool {
    switch self {
    case .unchangedApply, .applyWithVariable, .unchangedServerSideApply, .serverSideApplyWithVariable: true
    default: false
    }
  }

  /// Who has changed the Deployment, by the API server's account.
  var manager: String {
    switch self {
    case .unchangedApply, .applyWithVariable: "kubectl-client-side-apply"
    default: "kubectl"
    }
  }

  /// Makes the change.
  ///
  /// - Parameter manifest: the team's own.
  func make(_ kubectl: Kubectl, manifest: String) async throws {
    let changed = manifest.replacingOccurrences(of: "env: [", with: "env: [{name: ADDED, value: here}, ")
    let image = String(manifest.firstMatch(of: /image: (\S+)/)?.output.1 ?? "")
    switch self {
    case .unchangedApply: try await kubectl.apply(manifest)
    case .applyWithVariable: try await kubectl.apply(changed)
    case .unchangedServerSideApply: try await kubectl("apply", "--server-side", "-f", "-", input: manifest)
    case .serverSideApplyWithVariable: try await kubectl("apply", "--server-side", "-f", "-", input: changed)
    // The same image by another name: the tests have no second one.
    case .image: try await kubectl("set", "image", "deployment/team", "team=docker.io/\(image)")
    case .variable: try await kubectl("set", "env", "deployment/team", "ADDED=here")
    case .scale: try await kubectl("scale", "deployment/team", "--replicas=2")
    case .restart: try await kubectl("rollout", "restart", "deployment/team")
    case .label:
      try await edit(kubectl, #"{"metadata": {"labels": {"tier": "back"}}}"#)
      try await edit(kubectl, #"{"spec": {"template": {"metadata": {"labels": {"tier": "back"}}}}}"#)
    case .strategy:
      try await edit(kubectl, #"{"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 2}}}}"#)
    }
  }

  private func edit(_ kubectl: Kubectl, _ patch: String) async throws {
    try await kubectl("patch", "deployment/team", "--field-manager=kubectl-edit", "-p", patch)
  }
}

/// All that a team sees of its Deployment `team`: managed fields and the rollout history included.
struct TeamView {
  private var snapshot: NamespaceSnapshot
  /// The Deployment's number of its newest template.
  private(set) var revision: String

  init(_ kubectl: Kubectl, managedFields: [String]) async throws {
    let deployment = try await Self.object(["get", "deployment/team"] + managedFields, kubectl)
    revision = deployment[path: "metadata", "annotations", "deployment.kubernetes.io/revision"]?.string ?? ""
    var history = try await kubectl("rollout", "history", "deployment/team")
    for line in history.split(separator: "\n") {
      guard let number = line.split(separator: " ").first.flatMap({ Int($0) }) else { continue }
      history += try await kubectl("rollout", "history", "deployment/team", "--revision=\(number)")
    }
    // The time of a restart is a part of the template.
    history = history.replacing(/pod-template-hash=\w+/, with: "pod-template-hash=*")
      .replacing(/restartedAt: \S+/, with: "restartedAt: *")
    snapshot = NamespaceSnapshot(objects: [deployment], history: history)
  }

  /// In words, what is other than for somebody else.
  func differences(from other: TeamView) -> [String] { snapshot.differences(from: other.snapshot) }

  private static func object(_ arguments: [String], _ kubectl: Kubectl) async throws -> JSONValue {
    let text = try await run(["kubectl", "-n", kubectl.namespace] + arguments + ["-o", "json"]).output
      .replacing(kubectl.namespace, with: "NAMESPACE")
    var object = try Kubectl.parse(text)
    for name in ["uid", "creationTimestamp"] { object["metadata"]?[name] = nil }
    let restart = "kubectl.kubernetes.io/restartedAt"
    if object[path: "spec", "template", "metadata", "annotations", restart] != nil {
      object["spec"]?["template"]?["metadata"]?["annotations"]?[restart] = "*"
    }
    return object
  }
}

/// The Deployment `team`, once where a session is on it and once where nobody knows of devrun.
struct Twins {
  let cluster = Cluster.shared
  let manifest: String
  let isServerSide: Bool

  /// - Parameter handler: of the probes.
  init(handler: String, isServerSide: Bool) throws {
    manifest = try Cluster.shared.manifest("team").replacingOccurrences(of: "HANDLER", with: handler)
    self.isServerSide = isServerSide
  }

  /// Makes both, and removes them at the end.
  func with(_ body: () async throws -> Void) async throws {
    do {
      for kubectl in [cluster.kubectl, cluster.other] {
        try await kubectl("apply", "--server-side=\(isServerSide)", "-f", "-", input: manifest)
      }
      for kubectl in [cluster.kubectl, cluster.other] { try await kubectl.settled() }
      try await body()
    } catch {
      try await remove()
      throw error
    }
    try await remove()
  }

  private func remove() async throws {
    for kubectl in [cluster.kubectl, cluster.other] { try await kubectl.delete(manifest: manifest) }
  }

  /// Runs something in a session that has the Deployment's traffic.
  ///
  /// - Returns: what devrun wrote to its standard error.
  func session(_ body: (SessionShell) async throws -> Void) async throws -> String {
    let shell = try await SessionShell(cluster, ["-t", "deployment/team", "-p", "8080:\(cluster.port)"])
    do {
      try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests") {
        try await isServed()
        try await body(shell)
      }
    } catch {
      try await shell.exit()
      throw error
    }
    let outcome = try await shell.exit(3)
    #expect(outcome.status == .exited(3), "\(outcome)")
    return outcome.errors
  }

  /// Waits until the Service passes each connection on to the session.
  func isServed() async throws { try await cluster.serves("wget -qO- http://team/", "the app on this machine") }

  /// Makes a change in both places.
  func make(_ change: TeamChange) async throws {
    for kubectl in [cluster.kubectl, cluster.other] { try await change.make(kubectl, manifest: manifest) }
  }

  /// Checks that a team sees the same of both, and that its app answers.
  func expectAlike(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    for kubectl in [cluster.kubectl, cluster.other] { try await kubectl.settled() }
    let twin = try await TeamView(cluster.other, managedFields: cluster.kubectl.managedFields)
    let view = try await TeamView(cluster.kubectl, managedFields: cluster.kubectl.managedFields)
    let differences = view.differences(from: twin)
    #expect(differences == [], "other than without devrun", sourceLocation: sourceLocation)
    #expect(view.revision == twin.revision, sourceLocation: sourceLocation)
    try await cluster.serves("wget -qO- http://team/", "the app in the cluster")
  }
}
