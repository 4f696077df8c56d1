import Foundation
import DevrunPlan
import Glibc
import TestSupport
import Testing

/// The place where the tests play: namespaces of their own on a real cluster, and an ordinary user of it on this
/// machine.
///
/// Made once for each lane of the suite and undone in reverse order.
struct Cluster: Sendable {
  /// The one that the running lane was given.
  @TaskLocal static var current: Cluster?

  let settings: Settings
  let user: OrdinaryUser
  let machine: Machine
  /// The binary under test, where the user can execute it.
  let devrun: String
  /// kubectl in the namespace where `myapp1` and what surrounds it are; the cluster's administrator.
  let kubectl: Kubectl
  /// kubectl in the other namespace, where the developer may only look.
  let other: Kubectl
  /// kubectl in the namespace of the tests' accounts.
  let accounts: Kubectl
  /// A local port that nothing listens on, for servers of the tests.
  let port: Int
  /// The programs of `fixtures/cluster`, where the user can read them.
  let fixtures: String
  /// Edits in the first namespace, views in the second, nothing else.
  let developer: Account
  /// How many pods `myapp1` has.
  let replicas: Int

  init(_ settings: Settings, replicas: Int, _ cleanUp: CleanUp) async throws {
    self.settings = settings
    self.replicas = replicas
    let suffix = String((0..<5).compactMap { _ in "bcdfghjklmnpqrstvwxz0123456789".randomElement() })
    user = try await OrdinaryUser(settings, name: "devrun-e2e-\(suffix)", cleanUp)
    devrun = try await Self.install(settings.devrun, for: user)
    port = try freePort()
    fixtures = "\(user.folder)/fixtures"
    try await run(["cp", "-r", Settings.fixture("cluster"), fixtures])
    try await run(["chmod", "-R", "a+rX", fixtures])
    machine = Machine(user: user, devrun: devrun)
    kubectl = Kubectl(
      namespace: "devrun-e2e-\(suffix)", kinds: try await Kubectl.lastingKinds(),
      managedFields: try await Kubectl.managedFieldsOption())
    other = Kubectl(namespace: "devrun-e2e-\(suffix)-other")
    accounts = Kubectl(namespace: "devrun-e2e-\(suffix)-accounts")
    try await Self.make([kubectl, other, accounts].map(\.namespace), cleanUp)
    developer = try await Self.account(
      "developer", in: accounts, namespaces: [kubectl.namespace, other.namespace], user: user)
    try await Self.grant("edit", in: kubectl, to: "developer", of: accounts.namespace)
    try await Self.grant("view", in: other, to: "developer", of: accounts.namespace)

    try await other.apply(try manifest("other"))
    try await populate()
    try await other.settled()
    try await serves("wget -qO- http://myapp2.\(other.namespace):8080/", "myapp2 of another namespace")
  }

  /// Makes the workloads of the first namespace and awaits that they run.
  func populate() async throws {
    try await kubectl.apply(try manifest("services"))
    // Three revisions with a history of two: all that the history holds is worth keeping.
    for release in 1...3 { try await kubectl.apply(try manifest("myapp1", release: release)) }
    try await kubectl.settled()
    try await serves("wget -qO- http://myapp1/", "the app in the cluster")
    try await serves("wget -qO- http://myapp2/cgi-bin/peer", "myapp2 was asked from")
    try await serves("nc peer 25 </dev/null", "220 peer ready")
  }

  /// Waits until a service passes each connection on to the pods that it has now.
  ///
  /// A rollout is over earlier: kube-proxy takes up to a second to follow the endpoints, and meanwhile it passes
  /// connections on to pods that are gone. It chooses a pod at random, so one right answer proves nothing.
  ///
  /// - Parameters:
  ///   - command: asks the service, in the pod `client`.
  ///   - answer: what the answers of the right pods begin with.
  func serves(_ command: String, _ answer: String) async throws {
    try await kubectl.script(
      in: "client",
      """
      right=0 end=$(($(date +%s) + 60))
      while [ $(date +%s) -lt $end ]; do
        answer=$(timeout 5 \(command) 2>&1)
        case "$answer" in
        "\(answer)"*) right=$((right + 1)); [ $right -lt 25 ] || exit 0 ;;
        *) right=0; sleep 0.1 ;;
        esac
      done
      echo "the last answer to \(command) was: $answer"
      exit 1
      """)
  }

  /// Makes the first namespace and this machine anew after a session that has left a trace: that is one test's failure,
  /// and no other's.
  func heal() async throws {
    for (id, _) in try machine.processes() { kill(id, SIGKILL) }
    for path in try machine.files() { try await run(["rm", "-rf", path]) }
    let own = ["kube-root-ca.crt", "myapp1-settings", "whitelist"]
    for map in try await kubectl("get", "configmaps", "-o", "name").split(separator: "\n") {
      if !own.contains(String(map.dropFirst("configmap/".count))) { try await kubectl("delete", String(map)) }
    }
    try await kubectl("delete", "deployments,replicasets,pods,quota", "--all", "--cascade=foreground", "--wait")
    try await populate()
  }

  /// Ends the node's kubelet and starts another. The script makes what is down run again.
  func restartKubelet() async throws {
    guard let kube = settings.kube else { throw TestFailure("there is no DEVRUN_E2E_KUBE") }
    let state = URL(filePath: try #require(ProcessInfo.processInfo.environment["KUBECONFIG"]))
    let file = state.deletingLastPathComponent().appending(path: "run/kubelet.pid")
    let words = try String(contentsOf: file, encoding: .utf8).split(separator: " ")
    let kubelet = try #require(words.first.flatMap { pid_t($0) }, "\(file.path) has no process id")
    kill(kubelet, SIGTERM)
    try await eventually(within: .seconds(30)) { kill(kubelet, 0) == 0 ? "the kubelet still runs" : nil }
    try await run(["bash", kube, "up"], within: .seconds(120))
  }

  /// The text of a manifest of `fixtures/cluster`.
  func manifest(_ name: String, release: Int = 3) throws -> String {
    manifest(
      text: try String(contentsOfFile: Settings.fixture("cluster/\(name).yaml"), encoding: .utf8)
        .replacingOccurrences(of: "\"RELEASE\"", with: "\"\(release)\"")
        .replacingOccurrences(of: "replicas: 2", with: "replicas: \(replicas)"))
  }

  /// A manifest with the images that this cluster has.
  func manifest(text: String) -> String {
    var text = text
    if let image = settings.image { text = text.replacingOccurrences(of: "kube-e2e/busybox:1", with: image) }
    if let image = settings.scratchImage { text = text.replacingOccurrences(of: "kube-e2e/pause:1", with: image) }
    return text
  }

  /// Makes namespaces that go, with all that they hold, at the end.
  static func make(_ namespaces: [String], _ cleanUp: CleanUp) async throws {
    cleanUp.add {
      // A kubelet takes its time to remove pods, some of it for those that it has ended long ago.
      for namespace in namespaces {
        try await run(
          [
            "kubectl", "-n", namespace, "delete", "deployments,pods", "--all", "--force", "--grace-period=0",
            "--wait=false",
          ],
          within: .seconds(60))
      }
      try await run(["kubectl", "delete", "namespace", "--ignore-not-found"] + namespaces, within: .seconds(180))
    }
    for namespace in namespaces {
      // The fixtures have volumes of the node, whatever the cluster's own standard for pods is.
      let labels = "{pod-security.kubernetes.io/enforce: privileged, e2e: \(namespace)}"
      let object = "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(namespace), labels: \(labels)}"
      try await run(["kubectl", "create", "-f", "-"], input: object)
    }
  }

  /// The binary itself where the user can run it, else a copy of it and of what is installed beside it.
  static func install(_ devrun: String, for user: OrdinaryUser, as name: String = "install") async throws -> String {
    let binary = URL(filePath: devrun).resolvingSymlinksInPath()
    if try await run(user.command([binary.path, "--version"]), expecting: nil).status == .exited(0) {
      return binary.path
    }
    let prefix = binary.deletingLastPathComponent().deletingLastPathComponent().path
    let copy = "\(user.folder)/\(name)"
    for part in ["bin", "lib", "libexec", "share", "payload"] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(prefix)/\(part)")) ?? []
      for name in names where name.hasPrefix("devrun") || part == "payload" {
        try await run(["mkdir", "-p", "\(copy)/\(part)"])
        try await run(["cp", "-rL", "\(prefix)/\(part)/\(name)", "\(copy)/\(part)/"])
      }
    }
    try await run(["chmod", "-R", "a+rX", copy])
    try await run(user.command(["\(copy)/bin/devrun", "--version"]))
    return "\(copy)/bin/devrun"
  }
}

extension Cluster {
  /// The cluster of the running lane.
  static var shared: Cluster {
    guard let current else { fatalError("a suite asks for a cluster and is in no lane") }
    return current
  }
}
