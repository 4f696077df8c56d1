import DevrunPlan
import DevrunSystem
import Foundation
import TestSupport
import Testing
import devrun_minicluster

@Suite("devrun-minicluster", .enabled(if: NodeNeed.isMet, NodeNeed.words))
struct NodeCommandTests {
  private let home: TemporaryFolder
  private let program = built("devrun-minicluster")

  init() throws { home = try TemporaryFolder(mode: 0o755) }

  private var folder: String { home.path("build/cluster") }

  private func minicluster(
    _ arguments: String..., as user: TestUser = .own, expecting status: Int32? = 0
  ) async throws -> Outcome {
    let outcome = try await TestProcess.run(
      user.command([program, arguments[0], "--folder", folder] + arguments.dropFirst()), expecting: nil)
    if let status { #expect(outcome.status == .exited(status), "\(outcome)") }
    return outcome
  }

  private func owner() throws -> Int32 {
    let text = try home.text(of: "build/cluster/minicluster.lock")
    return try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  @Test(arguments: TestUser.available)
  func `A cluster goes on in the background from up to down`(user: TestUser) async throws {
    try user.own(home.path, mode: 0o755)
    #expect(try await minicluster("up", as: user).output == "export KUBECONFIG=\(folder)/kubeconfig\n")
    #expect(try home.mode(of: "build/cluster/kubeconfig") == 0o600)
    let owner = try watched(try owner())
    // A second start finds the first one's cluster.
    #expect(try await minicluster("up", as: user).output == "export KUBECONFIG=\(folder)/kubeconfig\n")
    #expect(try await minicluster("down", as: user).errors == "the cluster has ended\n")
    expectEnd(of: [owner])
    #expect(try home.names(in: "build") == [])
    #expect(try await minicluster("down", as: user).errors.contains("there is no cluster"))
  }

  @Test(arguments: TestUser.available)
  func `A command in a pod has the container's files, variables and host name`(user: TestUser) async throws {
    try user.own(home.path, mode: 0o755)
    let manifest = try home.write(
      "pod.yaml",
      """
      {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}},
       template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: any,
        command: [sh, -c, "echo inside > /tmp/file; exec sleep 600"], env: [{name: GREETING, value: hello}],
        readinessProbe: {exec: {command: [cat, /tmp/file]}, periodSeconds: 1}}]}}}}
      """)
    _ = try await minicluster("up", "-f", manifest, as: user)
    let script = "cat /tmp/file; echo $GREETING; hostname | cut -c1-4; exit 9"
    let outcome = try await minicluster("exec", "deployment/web", "--", "sh", "-c", script, as: user, expecting: 9)
    #expect(outcome.output == "inside\nhello\nweb-\n")
    let refused = try await minicluster("exec", "deployment/web", "--", "nosuch", as: user, expecting: 126)
    #expect(refused.errors.contains("executable file not found in $PATH"))
    _ = try await minicluster("down", as: user)
  }

  @Test func `The folder of a killed cluster is replaced`() async throws {
    _ = try await minicluster("up")
    let owner = try owner()
    let watch = try watched(owner)
    kill(owner, SIGKILL)
    expectEnd(of: [watch])
    _ = try await minicluster("up")
    #expect(try self.owner() != owner)
    #expect(try await minicluster("down").errors == "the cluster has ended\n")
  }

  @Test func `The folder of a killed cluster is removed, and no other process is killed`() async throws {
    _ = try await minicluster("up")
    let owner = try owner()
    let watch = try watched(owner)
    kill(owner, SIGKILL)
    expectEnd(of: [watch])
    let bystander = try TestProcess(["sleep", "600"])
    try home.write("build/cluster/minicluster.lock", "\(bystander.id)\n")
    #expect(try await minicluster("down").errors == "removed what a killed cluster has left\n")
    #expect(kill(bystander.id, 0) == 0)
    #expect(try home.names(in: "build") == [])
    bystander.signal(SIGKILL)
    #expect(try await bystander.status() == .killed(SIGKILL, coreDumped: false))
  }

  @Test func `A folder of something else is left alone`() async throws {
    try home.makeFolder("build")
    try home.makeFolder("build/cluster")
    try home.write("build/cluster/work", "mine")
    let outcome = try await minicluster("up", expecting: 1)
    #expect(outcome.errors.contains("is the folder of something else"))
    #expect(try await minicluster("down").errors.contains("there is no cluster"))
    #expect(try home.text(of: "build/cluster/work") == "mine")
  }

  @Test func `A command gets a cluster, and its status is the program's`() async throws {
    let script = "test -r \"$KUBECONFIG\" && echo $KUBECONFIG; exit 7"
    let outcome = try await minicluster("run", "--", "sh", "-c", script, expecting: 7)
    #expect(outcome.output == "\(folder)/kubeconfig\n")
    #expect(try home.names(in: "build") == [])
    #expect(try await minicluster("run", "--", "nosuch", expecting: 127).errors.contains("nosuch"))
    let killed = try await minicluster("run", "--", "sh", "-c", "kill -9 $$", expecting: 137)
    #expect(killed.errors == "")
  }

  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func `A signal ends the command, then the cluster`(signal: Int32) async throws {
    let process = try TestProcess([
      program, "run", "--folder", folder, "--", "sh", "-c", "trap 'echo got; exit 3' TERM INT HUP; echo up; read line",
    ])
    try await process.output.wait(for: "up\n")
    process.signal(signal)
    // The end of its input would end the command as well.
    try await process.status()
    let outcome = try await process.outcome()
    #expect(outcome.status == .exited(3))
    #expect(outcome.output == "up\ngot\n")
    #expect(try home.names(in: "build") == [])
  }

  @Test func `A manifest that cannot be read is the start's failure`() async throws {
    let outcome = try await minicluster("up", "-f", home.path("none.yaml"), expecting: 1)
    #expect(outcome.errors.contains("the cluster has not started"))
    #expect(try home.names(in: "build") == [])
  }
}
