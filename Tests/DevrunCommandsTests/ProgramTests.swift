import DevrunSession
import Foundation
import TestSupport
import Testing

@Suite("The program devrun")
struct ProgramTests {
  /// A folder without a project, in which devrun runs.
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func devrun(_ arguments: String..., kubeconfig: String = "/nonexistent/config") async throws -> Outcome {
    try await Outcome(of: Outcome.devrun, arguments, environment: ["KUBECONFIG": kubeconfig], in: folder.path)
  }

  /// What a shell script writes. `$devrun` is the program.
  private func shell(_ script: String) async throws -> Outcome {
    try await Outcome(of: "/bin/sh", ["-c", script], environment: ["devrun": Outcome.devrun], in: folder.path)
  }

  @Test(arguments: ["--help", "--version", "help"])
  func `Help and version go to standard output, with the status 0`(argument: String) async throws {
    let outcome = try await devrun(argument)
    #expect(outcome.status == 0)
    #expect(outcome.errors == "")
    #expect(outcome.output == Answer(to: [argument]).text + "\n")
  }

  @Test func `A wrong command line goes to standard error, with the status 125`() async throws {
    let outcome = try await devrun("--tagret", "pod/x", "--", "true")
    #expect(outcome.status == 125)
    #expect(outcome.output == "")
    #expect(outcome.errors == Answer(to: ["--tagret", "pod/x", "--", "true"]).text + "\n")
  }

  @Test func `A missing command gives 127, and one that cannot be executed 126`() async throws {
    let missing = try await devrun("-t", "pod/x", "no-such-command", "--help")
    #expect(missing.status == 127)
    #expect(missing.errors.hasPrefix("devrun: 'no-such-command' was not found in PATH\n"), "\(missing)")
    let unusable = try await devrun("-t", "pod/x", "--", folder.path)
    #expect(unusable.status == 126)
    #expect(missing.output + unusable.output == "")
  }

  @Test func `A command's name need not be UTF-8`() async throws {
    let outcome = try await shell(#"PATH=$PWD "$devrun" -t pod/x "$(printf 'caf\351')" "$(printf '\377')""#)
    #expect(outcome.status == 127)
    #expect(outcome.errors.hasPrefix("devrun: 'caf\u{FFFD}' was not found in PATH\n"), "\(outcome)")
    let file = #"f=$(printf 'caf\351'); : > "$f"; chmod +x "$f"; "#
    let found = try await shell(file + #"KUBECONFIG=/nonexistent/config PATH=$PWD "$devrun" -t pod/x -- "$f" x"#)
    #expect(found.status == 125)
    #expect(found.errors.hasPrefix("devrun: no cluster is configured\n"), "\(found)")
  }

  @Test func `Without a target in the command line and in devrun.yaml, devrun env asks for one`() async throws {
    let kubeconfig = try folder.write(
      "config",
      """
      apiVersion: v1
      kind: Config
      current-context: c
      contexts: [{name: c, context: {cluster: c, user: u}}]
      clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
      users: [{name: u, user: {}}]
      """)
    let outcome = try await devrun("env", kubeconfig: kubeconfig)
    #expect(
      outcome
        == Outcome(status: 125, output: "", errors: "devrun: there is no target: name one with --target KIND/NAME\n"))
  }
  @Test(arguments: [["restore"], ["restore", "deployment/web"], ["--", "true"]])
  func `A failure that quotes a secret is printed without it`(arguments: [String]) async throws {
    let kubeconfig = try folder.write(
      "config",
      """
      apiVersion: v1
      kind: Config
      current-context: c
      contexts: [{name: c, context: {cluster: c, user: u}}]
      clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
      users:
      - name: u
        user:
          exec:
            apiVersion: client.authentication.k8s.io/v1
            interactiveMode: Never
            command: /nonexistent/password=hunter-22
      """)
    let outcome = try await Outcome(
      of: Outcome.devrun, arguments, environment: ["KUBECONFIG": kubeconfig], in: folder.path)
    #expect(outcome.status == 125)
    #expect(outcome.errors.contains("/nonexistent/password=***"), "\(outcome)")
    #expect(!outcome.errors.contains("hunter-22"), "\(outcome)")
  }
}
