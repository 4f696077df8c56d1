import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Synchronization
import TestSupport
import Testing

extension Stage {
  /// Starts devrun as a person does in a shell.
  ///
  /// - Parameters:
  ///   - kubeconfig: how it reaches the cluster; by default as the tests do.
  ///   - starter: a program, with its first arguments, that starts devrun.
  func devrun(
    _ arguments: [String], kubeconfig: String? = nil, directory: String? = nil, by starter: [String] = []
  ) throws -> TestProcess {
    let own = ProcessInfo.processInfo.environment
    return try TestProcess(
      starter + [Settings.devrun] + arguments,
      environment: [
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh",
        "USER": RawString(NSUserName()), "LOGNAME": RawString(NSUserName()), "HOME": RawString(folder.path("home")),
        "TMPDIR": RawString(folder.path("tmp")), "XDG_RUNTIME_DIR": RawString(folder.path("run")),
        "KUBECONFIG": RawString(kubeconfig ?? own["KUBECONFIG"] ?? "\(NSHomeDirectory())/.kube/config"),
        // By this its processes are found.
        "SCENARIO": RawString(mark),
      ], directory: directory ?? folder.path("work"))
  }

  /// Runs devrun to its end.
  func run(_ arguments: String...) async throws -> Outcome {
    try await devrun(arguments).outcome(within: .seconds(60))
  }

  /// Starts a session on the app with a shell as its command, and returns when the shell answers.
  func session(
    _ options: [String] = [], kubeconfig: String? = nil, directory: String? = nil, by starter: [String] = []
  ) async throws -> Session {
    let arguments = ["-n", namespace, "-t", "deployment/app", "-p", "8080:\(port)"] + options + ["--", "sh"]
    let session = Session(
      stage: self, process: try devrun(arguments, kubeconfig: kubeconfig, directory: directory, by: starter))
    _ = try await session.output("true")
    return session
  }
}

/// A session with a shell, in which commands are typed.
final class Session: Sendable {
  let stage: Stage
  let process: TestProcess
  private let commands = Mutex(0)

  init(stage: Stage, process: TestProcess) {
    self.stage = stage
    self.process = process
  }

  /// Runs a command of the shell.
  ///
  /// - Returns: what it wrote to both its outputs, without the last line's end, and its exit status.
  func reply(to command: String, within limit: Duration = .seconds(60)) async throws -> (text: String, status: Int) {
    let number = commands.withLock { number in
      number += 1
      return number
    }
    let (begin, end) = ("<\(number)<", ">\(number)>")
    try process.write("printf '%s' '\(begin)'; { \(command)\n} </dev/null 2>&1; printf '%s%d;' '\(end)' $?\n")
    try await process.output.wait(for: begin, end, ";", within: limit)
    let text = process.output.text
    guard let from = text.range(of: begin), let to = text.range(of: end, range: from.upperBound..<text.endIndex),
      let status = Int(text[to.upperBound...].prefix { $0 != ";" })
    else { throw TestFailure("the shell's answer is not understood: \(text)") }
    let written = String(text[from.upperBound..<to.lowerBound])
    return (written.hasSuffix("\n") ? String(written.dropLast()) : written, status)
  }

  /// Runs a command that must succeed.
  func output(_ command: String, within limit: Duration = .seconds(60)) async throws -> String {
    let reply = try await reply(to: command, within: limit)
    guard reply.status == 0 else { throw TestFailure("\(command): status \(reply.status), \(reply.text)") }
    return reply.text
  }

  /// What an HTTP server answers to the session's command.
  func answer(of address: String) async throws -> String {
    try await output("busybox wget -qO- http://\(address)/")
  }

  /// What an HTTP server answers once a lost tunnel is there again. Without one the network is not reachable.
  func answerOnceReachable(of address: String) async throws -> String {
    try await output("until busybox wget -qO- http://\(address)/ 2>/dev/null; do busybox sleep 0.1; done")
  }

  /// Starts the app on this machine, in the background of the shell.
  func serve() async throws {
    try stage.folder.makeFolder("page")
    try stage.folder.write("page/index.html", Stage.localAnswer + "\n")
    _ = try await output(
      "busybox httpd -f -p 127.0.0.1:\(stage.port) -h \(stage.folder.path("page")) >/dev/null & echo $!")
  }

  /// Starts the app on this machine, and waits until the cluster's traffic comes to it.
  func takeTraffic(fileID: String = #fileID, line: Int = #line) async throws {
    try await serve()
    try await stage.answers.wait(for: Stage.localAnswer, fileID: fileID, line: line)
  }

  /// Leaves the shell, whatever it runs, and awaits the end of the session.
  @discardableResult
  func exit(
    _ status: Int32 = 0, within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Outcome {
    try process.write("kill $! 2>/dev/null; exit \(status)\n")
    let outcome = try await process.outcome(within: limit)
    #expect(outcome.status == .exited(status), "\(outcome)", sourceLocation: sourceLocation)
    return outcome
  }
}
