import Foundation
import Glibc
import Testing

/// Whether a program is installed.
private func isInstalled(_ program: String) -> Bool {
  let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
  return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
}

extension EndToEnd.Endings {
  /// Programs that people wrap, used as they are used. The launcher's own tests try more of each, without a cluster.
  @Suite("Programs in a session")
  struct Programs {
    let cluster: Cluster

    init() throws { cluster = try Cluster.shared }

    /// What such programs write at home is their own business.
    private func home() throws -> [String: String] {
      let home = "\(cluster.user.work)/home"
      try cluster.user.own(home)
      return ["HOME": home, "TERM": "xterm"]
    }

    /// Runs a command in a session on a terminal.
    private func terminal(
      _ command: [String], endsWith ending: Ending = .exited(0), sourceLocation: SourceLocation = #_sourceLocation,
      _ body: (Typist) async throws -> Void
    ) async throws {
      try await cluster.leavingNoTrace(sourceLocation: sourceLocation) {
        let process = try cluster.start(
          ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--"] + command, environment: home(),
          streams: .terminal)
        do {
          try await body(Typist(process))
          let end = try await within(.seconds(60), "the end of devrun; it shows \(process.output.text)") {
            try await process.ended()
          }
          #expect(end == ending, "\(process.output.text)", sourceLocation: sourceLocation)
        } catch {
          process.send(SIGTERM)
          _ = try? await process.outcome(within: .seconds(30))  // It is killed if that does not end it.
          throw error
        }
      }
    }

    /// Compiles the program to debug.
    private func debugged() async throws -> String {
      let path = "\(cluster.user.folder)/debugged"
      try await run(["gcc", "-g", "-O0", "-o", path, "\(cluster.fixtures)/debugged.c"])
      return path
    }

    @Test(.enabled(if: isInstalled("gdb"), "gdb is not installed"))
    func `gdb debugs a program that reaches a service, interrupts it and quits`() async throws {
      let program = try await debugged()
      try await terminal(["gdb", "-q", "-nx", "-iex", "set pagination off", "-iex", "set style enabled off", program]) {
        person in
        try await person.sees("(gdb) ")
        try await person.types("break greet", sees: "Breakpoint 1 at")
        try await person.types("run", sees: "Breakpoint 1, greet")
        try await person.sees("(gdb) ")
        try await person.types("continue", sees: "answer: myapp2 was asked from")
        try await person.sees("counting")
        try person.types(control: "C")
        try await person.sees("SIGINT")
        try await person.sees("(gdb) ")
        try await person.types("print turns * 0 + 77", sees: "= 77")
        try await person.types("kill", sees: "(y or n)")
        try await person.types("y", sees: "killed]")
        try person.process.write("quit\n")
      }
    }

    @Test(.enabled(if: isInstalled("lldb"), "lldb is not installed"))
    func `lldb debugs a program that reaches a service, shows a value and quits`() async throws {
      let program = try await debugged()
      try await terminal(["lldb", "--no-lldbinit", "--no-use-colors", program]) { person in
        try await person.sees("(lldb) ")
        try await person.types("breakpoint set --name turn", sees: "Breakpoint 1:")
        try await person.types("run", sees: "answer: myapp2 was asked from")
        try await person.sees("stop reason = breakpoint 1.1")
        try await person.types("expression turns * 0 + 77", sees: "= 77", again: true)
        try await person.types("process kill", sees: "exited with status = 9", again: true)
        try person.process.write("quit\n")
      }
    }

    @Test(.enabled(if: isInstalled("vim"), "vim is not installed"))
    func `vim edits a file of this machine in a session`() async throws {
      let file = "\(cluster.user.work)/edited"
      defer { unlink(file) }
      try await terminal(["vim", "-Nu", "NONE", "-i", "NONE", file]) { person in
        try await person.sees("[New]")
        try person.process.write("i")
        try await person.sees("-- INSERT --")
        try person.process.write("written in a session\u{1b}:wq\n")
      }
      #expect(try String(contentsOfFile: file, encoding: .utf8) == "written in a session\n")
    }

    @Test func `An interactive bash in a session has jobs of its own and reaches a service`() async throws {
      try await terminal(["bash", "--norc", "--noprofile", "-i"], endsWith: .exited(6)) { person in
        try await person.types("PS1='inside'; PS1+='> '", sees: "inside> ")
        try await person.types("curl -sS -m 20 http://myapp2/cgi-bin/peer", sees: "myapp2 was asked from")
        try await person.types("sed -u s/^/got-/", sees: "\r\n")
        try await person.types("first", sees: "got-first")
        try person.types(control: "Z")
        try await person.sees("Stopped")
        try await person.sees("inside> ")
        try await person.types("jobs", sees: "Stopped")
        try await person.sees("inside> ")
        try await person.types("fg", sees: "sed -u", again: true)
        try await person.types("second", sees: "got-second")
        try person.types(control: "C")
        try await person.sees("inside> ")
        try person.process.write("exit 6\n")
      }
    }

    @Test func `make -j4 in a session runs recipes that each reach a service`() async throws {
      let folder = "\(cluster.user.work)/made"
      try cluster.user.own(folder)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let recipe = "curl -sS -m 20 http://myapp2/cgi-bin/peer > $@"
      try cluster.user.write(
        "all: \((1...8).map { "part\($0)" }.joined(separator: " "))\npart%:\n\t@\(recipe)\n", to: "\(folder)/Makefile")
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun(
          "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--", "make", "-j4", "-C", folder)
      }
      #expect(outcome.ending == .exited(0), "\(outcome)")
      for number in 1...8 {
        let part = try String(contentsOfFile: "\(folder)/part\(number)", encoding: .utf8)
        #expect(part.contains("myapp2 was asked from"), "\(part)")
      }
    }

    @Test(.enabled(if: isInstalled("swift"), "swift is not installed"))
    func `swift run builds and runs a package, which has the container's environment`() async throws {
      let folder = "\(cluster.user.work)/package"
      for path in [folder, "\(folder)/Sources", "\(folder)/Sources/hello"] { try cluster.user.own(path) }
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try cluster.user.write(
        """
        // swift-tools-version: 6.0
        import PackageDescription
        let package = Package(name: "hello", targets: [.executableTarget(name: "hello")])
        """, to: "\(folder)/Package.swift")
      try cluster.user.write(
        "import Glibc\nprint(\"colour:\", getenv(\"CFG_COLOUR\").map { String(cString: $0) } ?? \"none\")\nexit(7)\n",
        to: "\(folder)/Sources/hello/main.swift")
      var environment = try home()
      environment["PATH"] = ProcessInfo.processInfo.environment["PATH"]
      environment["TMPDIR"] = folder
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.start(
          ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--", "swift", "run"],
          environment: environment, directory: folder
        ).outcome(within: .seconds(300))
      }
      #expect(outcome.ending == .exited(7), "\(outcome)")
      #expect(outcome.text == "colour: blue\n", "\(outcome)")
    }

    @Test func `yes dies of SIGPIPE when head in a session stops reading`() async throws {
      let devrun = "\(cluster.devrun) -q -t deployment/myapp1 -p 8080:\(cluster.port) -- head -n 1"
      let outcome = try await cluster.leavingNoTrace {
        let variables = cluster.user.environment.merging(["KUBECONFIG": cluster.developer.kubeconfig]) { $1 }
        let script = "yes | \(devrun); echo ${PIPESTATUS[*]}"
        return try await ChildProcess(cluster.user.command(["bash", "-c", script]), environment: variables)
          .outcome(within: .seconds(90))
      }
      #expect(outcome.text == "y\n141 0\n", "\(outcome)")
    }

    @Test func `timeout ends a session's command, which can still print, and exits with 124`() async throws {
      let outcome = try await cluster.leavingNoTrace {
        let variables = cluster.user.environment.merging(["KUBECONFIG": cluster.developer.kubeconfig]) { $1 }
        let command = [
          "timeout", "-s", "TERM", "1000", cluster.devrun, "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)",
          "--",
          "sh", "-c", "trap 'echo last word; exit 7' TERM; echo ready; while :; do sleep 0.1; done",
        ]
        let process = try ChildProcess(cluster.user.command(command), environment: variables)
        try await within(.seconds(60), "the child; devrun said \(process.errors.text)") {
          try await process.output.contains("ready")
        }
        // What its timer would send.
        process.send(SIGALRM)
        return try await process.outcome(within: .seconds(60))
      }
      #expect(outcome.ending == .exited(124), "\(outcome)")
      #expect(outcome.text == "ready\nlast word\n", "\(outcome)")
    }
  }
}
