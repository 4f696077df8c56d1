import DevrunSession
import Foundation
import TestSupport
import Testing

@Suite("A project's files in the program devrun")
struct ForeignProjectTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A kubeconfig whose credential plugin leaves a file.
  private func kubeconfig(plugin: String) -> String {
    """
    apiVersion: v1
    kind: Config
    current-context: c
    contexts: [{name: c, context: {cluster: c, user: u}}]
    clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
    users:
    - name: u
      user:
        exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /usr/bin/touch, args: ["\(plugin)"]}
    """
  }

  @Test(arguments: [
    ["env"], ["env", "-t", "pod/x"], ["restore"], ["restore", "--all"], ["--", "true"], ["-t", "pod/x", "true"],
  ])
  func `No command obeys a devrun.yaml that somebody else put into a folder that all may write to`(
    arguments: [String]
  ) async throws {
    let trace = folder.path("trace")
    let planted = [
      try folder.write("tmp/.git/HEAD", ""), try folder.write("tmp/devrun.yaml", "kubeconfig: k\ntarget: pod/x\n"),
      try folder.write("tmp/k", kubeconfig(plugin: trace)),
    ]
    try folder.makeFolder("tmp/scratch")
    for path in planted where TestUser.own.id == 0 { try TestUser.nobody.own(path, mode: 0o755) }
    let shared = try folder.makeFolder("tmp", mode: 0o1777)
    let outcome = try await Outcome(
      of: Outcome.devrun, arguments, environment: ["KUBECONFIG": "/nonexistent/config"], in: folder.path("tmp/scratch"))
    #expect(outcome.status == 125)
    #expect(outcome.output == "")
    #expect(
      outcome.errors == """
        devrun: \(shared)/devrun.yaml is not used, because others could have put it there
          everyone may write to the folder \(shared)
          run devrun in another folder

        """)
    #expect(!FileManager.default.fileExists(atPath: trace))
  }

  @Test(.enabled(if: TestUser.own.id == 0, "not root"))
  func `In a user namespace without root, a devrun.yaml of one's own is used, but none of another user`() async throws {
    let me = TestUser(id: 4711, group: 4711)
    let folder = try TemporaryFolder(mode: 0o755)
    let file = try folder.write("mine/devrun.yaml", "nonsense: 1\n")
    try me.own(folder.path("mine"), mode: 0o755)
    try me.own(file, mode: 0o644)
    func errors() async throws -> String {
      let command = me.command(["unshare", "--user", "--map-current-user", Outcome.devrun, "restore"])
      return try await Outcome(of: "/usr/bin/env", command, in: folder.path("mine")).errors
    }
    #expect(try await errors().hasPrefix("devrun: \(file):1:1: "))
    try TestUser.nobody.own(file, mode: 0o644)
    #expect(try await errors().hasPrefix("devrun: \(file) is not used, because others could have put it there\n"))
  }

  @Test func `The variable DEVRUN_SAFE_FOLDERS allows a devrun.yaml that others could have put there`() async throws {
    let trace = folder.path("trace")
    try folder.write("shared/devrun.yaml", "kubeconfig: k\n")
    try folder.write("shared/k", kubeconfig(plugin: trace))
    let shared = try folder.makeFolder("shared", mode: 0o777)
    let outcome = try await Outcome(
      of: Outcome.devrun, ["restore"], environment: ["DEVRUN_SAFE_FOLDERS": shared, "TMPDIR": folder.path], in: shared)
    #expect(
      outcome.errors.hasPrefix("devrun: using the kubeconfig \(shared)/k, which \(shared)/devrun.yaml names\n"),
      "\(outcome)")
    #expect(FileManager.default.fileExists(atPath: trace))
  }

  @Test func `A kubeconfig that devrun.yaml names is printed, unless the command line names one or asks for quiet`()
    async throws
  {
    try folder.write("devrun.yaml", "kubeconfig: k\n")
    let kubeconfig = try folder.write("k", kubeconfig(plugin: folder.path("trace")))
    let words = "using the kubeconfig \(kubeconfig)"
    for (arguments, isPrinted) in [
      (["restore"], true), (["restore", "-q"], false), (["restore", "--kubeconfig", kubeconfig], false),
    ] {
      let outcome = try await Outcome(of: Outcome.devrun, arguments, in: folder.path)
      #expect(outcome.errors.contains(words) == isPrinted, "\(outcome)")
    }
  }

  @Test func `A mistake in the path of a volume is reported in the file's own syntax, with its line`() async throws {
    let file = try folder.write(
      "KubernetesLocalProcessConfig.yaml", "version: 0.1\nvolumeMounts:\n- {name: v, localPath: /tmp}\n")
    try folder.write(
      "k",
      """
      apiVersion: v1
      kind: Config
      current-context: c
      contexts: [{name: c, context: {cluster: c, user: u}}]
      clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
      users: [{name: u, user: {}}]
      """)
    let outcome = try await Outcome(
      of: Outcome.devrun, ["--kubeconfig", folder.path("k"), "-t", "pod/x", "true"], in: folder.path)
    #expect(
      outcome.errors == """
        devrun: \(file):3:24: a volume is not shown at '/tmp'
          programs keep temporary files there
          Give the volume another localPath, or remove its localPath and hand the path that `$(volumeMounts:v)` \
        stands for to the program. Or insist with `--force-volumes`.

        """)
  }
}
