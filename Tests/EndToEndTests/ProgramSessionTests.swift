import DevrunSystem
import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd.Endings {
  /// Programs that people wrap, used as they are used. The launcher's own tests try more of each, without a cluster.
  @Suite("Programs in a session")
  struct Programs {
    let cluster = Cluster.shared

    /// What such programs write at home is their own business.
    private func home() throws -> EnvironmentVariables {
      let home = "\(cluster.user.work)/home"
      try cluster.user.own(home)
      return ["HOME": RawString(home), "TERM": "xterm"]
    }

    /// Runs a command in a session on a terminal.
    private func terminal(
      _ command: [String], endsWith expected: WaitStatus = .exited(0),
      sourceLocation: SourceLocation = #_sourceLocation,
      _ body: (Typist) async throws -> Void
    ) async throws {
      try await cluster.leavingNoTrace(sourceLocation: sourceLocation) {
        let process = try cluster.start(
          ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--"] + command, environment: home(),
          place: .terminal)
        do {
          try await body(Typist(process))
          let status = try await process.status()
          #expect(status == expected, "\(process.output)", sourceLocation: sourceLocation)
        } catch {
          await process.stop()
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
        try await person.wait(for: "(gdb) ")
        try await person.type(line: "break greet", until: "Breakpoint 1 at")
        try await person.type(line: "run", until: "Breakpoint 1, greet")
        try await person.wait(for: "(gdb) ")
        try await person.type(line: "continue", until: "answer: myapp2 was asked from")
        try await person.wait(for: "counting")
        try person.press(control: "C")
        try await person.wait(for: "SIGINT")
        try await person.wait(for: "(gdb) ")
        try await person.type(line: "print turns * 0 + 77", until: "= 77")
        try await person.type(line: "kill", until: "(y or n)")
        try await person.type(line: "y", until: "killed]")
        try person.type("quit\n")
      }
    }

    @Test(.enabled(if: isInstalled("lldb"), "lldb is not installed"))
    func `lldb debugs a program that reaches a service, shows a value and quits`() async throws {
      let program = try await debugged()
      try await terminal(["lldb", "--no-lldbinit", "--no-use-colors", program]) { person in
        try await person.wait(for: "(lldb) ")
        try await person.type(line: "breakpoint set --name turn", until: "Breakpoint 1:")
        try await person.type(line: "run", until: "answer: myapp2 was asked from")
        try await person.wait(for: "stop reason = breakpoint 1.1")
        try await person.type(line: "expression turns * 0 + 77", until: "= 77", again: true)
        try await person.type(line: "process kill", until: "exited with status = 9", again: true)
        try person.type("quit\n")
      }
    }

    @Test(.enabled(if: isInstalled("vim"), "vim is not installed"))
    func `vim edits a file of this machine in a session`() async throws {
      let file = "\(cluster.user.work)/edited"
      defer { unlink(file) }
      try await terminal(["vim", "-Nu", "NONE", "-i", "NONE", file]) { person in
        try await person.wait(for: "[New]")
        try person.type("i")
        try await person.wait(for: "-- INSERT --")
        try person.type("written in a session\u{1b}:wq\n")
      }
      #expect(try String(contentsOfFile: file, encoding: .utf8) == "written in a session\n")
    }

    @Test func `An interactive bash in a session has jobs of its own and reaches a service`() async throws {
      try await terminal(["bash", "--norc", "--noprofile", "-i"], endsWith: .exited(6)) { person in
        try await person.type(line: "PS1='inside'; PS1+='> '", until: "inside> ")
        try await person.type(line: "curl -sS -m 20 http://myapp2/cgi-bin/peer", until: "myapp2 was asked from")
        try await person.type(line: "sed -u s/^/got-/", until: "\r\n")
        try await person.type(line: "first", until: "got-first")
        try await person.suspend(prompt: "inside> ")
        try await person.type(line: "jobs", until: "Stopped")
        try await person.wait(for: "inside> ")
        try await person.type(line: "fg", until: "sed -u", again: true)
        try await person.type(line: "second", until: "got-second")
        try person.press(control: "C")
        try await person.wait(for: "inside> ")
        try person.type("exit 6\n")
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
      #expect(outcome.status == .exited(0), "\(outcome)")
      for number in 1...8 {
        let part = try String(contentsOfFile: "\(folder)/part\(number)", encoding: .utf8)
        #expect(part.contains("myapp2 was asked from"), "\(part)")
      }
    }

    @Test(.enabled(if: isInstalled("swift", in: ProcessInfo.processInfo.environment["PATH"]), "swift is not installed"))
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
      let path = try #require(EnvironmentVariables.current["PATH"])
      let environment = try home().merging(["PATH": path, "TMPDIR": RawString(folder)])
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.start(
          ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--", "swift", "run"],
          environment: environment, directory: folder
        ).outcome(within: .seconds(300))
      }
      #expect(outcome.status == .exited(7), "\(outcome)")
      #expect(outcome.output == "colour: blue\n", "\(outcome)")
    }

    @Test func `yes dies of SIGPIPE when head in a session stops reading`() async throws {
      let devrun = "\(cluster.devrun) -q -t deployment/myapp1 -p 8080:\(cluster.port) -- head -n 1"
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.start(command: ["bash", "-c", "yes | \(devrun); echo ${PIPESTATUS[*]}"]).outcome()
      }
      #expect(outcome.output == "y\n141 0\n", "\(outcome)")
    }

    @Test func `timeout ends a session's command, which can still print, and exits with 124`() async throws {
      let outcome = try await cluster.leavingNoTrace {
        let command = [
          "timeout", "-s", "TERM", "1000", cluster.devrun, "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)",
          "--",
          "sh", "-c", "trap 'echo last word; exit 7' TERM; echo ready; while :; do sleep 0.1; done",
        ]
        let process = try cluster.start(command: command)
        try await process.output.wait(for: "ready")
        // What its timer would send.
        process.signal(SIGALRM)
        return try await process.outcome(within: .seconds(60))
      }
      #expect(outcome.status == .exited(124), "\(outcome)")
      #expect(outcome.output == "ready\nlast word\n", "\(outcome)")
    }
  }
}
