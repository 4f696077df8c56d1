import DevrunCore
import DevrunSystem
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd.Endings {
  /// Restores that meet other people, or a cluster that has changed meanwhile.
  @Suite("Restore")
  struct Restore {
    let cluster = Cluster.shared

    /// Somebody whom the cluster lets restore no more has a session begin to do so.
    private func stuckRestore(_ body: (TestProcess) async throws -> Void) async throws {
      let account = try await cluster.account("loser", rights: Right.documented)
      let lesser = Right.documented.filter { $0.resource != "deployments" }
      try await cluster.leavingNoTrace {
        let process = try cluster.start(
          ["-v", "-t", "deployment/myapp1", "--take-over", "now", "--"] + Teardown.waiter, as: account)
        do {
          try await process.output.wait(for: "ready")
          try await cluster.give(lesser, to: "loser")
          process.signal(SIGTERM)
          try await process.errors.wait(for: "restoring deployment/myapp1")
          try await body(process)
          try await cluster.give(Right.documented, to: "loser")
        } catch {
          try await cluster.give(Right.documented, to: "loser")
          await process.stop()
          throw error
        }
      }
      try await cluster.forget("loser")
    }

    @Test func `A restore that is refused goes on once the rights are back`() async throws {
      try await stuckRestore { process in
        // For so long it is refused.
        try await Task.sleep(for: .seconds(2))
        try await cluster.give(Right.documented, to: "loser")
        #expect(try await process.status() == .killed(SIGTERM, coreDumped: false), "\(process.errors.text)")
        // How many pods of the app are there already depends on the cluster.
        #expect(process.errors.text.contains("deployment/myapp1 is restored"), "\(process.errors.text)")
      }
    }

    @Test func `A third signal ends a restore, and the command that devrun prints finishes it`() async throws {
      try await stuckRestore { process in
        process.signal(SIGTERM)
        try await process.errors.wait(for: "without waiting", within: .seconds(10))
        process.signal(SIGTERM)
        #expect(try await process.status(within: .seconds(10)) == .exited(125), "\(process.errors.text)")
        try await cluster.give(Right.documented, to: "loser")
        let printed = process.errors.text.matches(of: /devrun (restore .*)/).map(\.output.1)
        let words = String(try #require(printed.last, "\(process.errors.text)"))
        for part in ["-n \(cluster.kubectl.namespace)", "deployment/myapp1"] {
          #expect(words.contains(part), "\(words)")
        }
        let command = ["sh", "-c", "exec \(cluster.devrun) \(words)"]
        let outcome = try await cluster.start(command: command).outcome(within: .seconds(60))
        #expect(outcome.status == .exited(0), "\(outcome)")
      }
    }

    @Test func `The command that devrun prints for a restore names the kubeconfig and the context`() async throws {
      let options = ["--kubeconfig", cluster.developer.kubeconfig, "--context", cluster.kubectl.namespace]
      try await cluster.leavingNoTrace {
        let process = try cluster.start(
          options + ["-t", "deployment/myapp1", "--take-over", "now", "--"] + Teardown.waiter)
        try await process.output.wait(for: "ready")
        // The keeper alone, which would restore: the front is there to print what to do.
        let report = try Kubectl.parse(try await cluster.devrun("diagnose", "--json").output)
        let sessions = try #require(report["sessions"]?.array)
        kill(pid_t(try #require(sessions.first?["process"]?.int)), SIGKILL)
        let outcome = try await process.outcome()
        #expect(outcome.status == .exited(125), "\(outcome)")
        let printed = try #require(outcome.errors.firstMatch(of: /devrun (restore .*)/), "\(outcome)")
        for word in options + ["deployment/myapp1"] { #expect(printed.output.1.contains(word), "\(outcome)") }
        let restored = try await cluster.start(
          command: ["sh", "-c", "exec \(cluster.devrun) \(printed.output.1)"], environment: ["KUBECONFIG": ""]
        ).outcome(within: .seconds(60))
        #expect(restored.status == .exited(0), "\(restored)")
      }
    }

    @Test(.enabled(if: geteuid() == 0, "root is needed, to be two users of this machine"))
    func `A restore of everything leaves the live session of somebody else alone and names it`() async throws {
      let cleanUp = CleanUp()
      do {
        let name = "\(cluster.user.name)-2"
        let other = try await OrdinaryUser(cluster.settings, name: name, cleanUp)
        let kubeconfig = "\(other.folder)/kubeconfig"
        try other.write(try String(contentsOfFile: cluster.developer.kubeconfig, encoding: .utf8), to: kubeconfig)
        try await cluster.leavingNoTrace {
          let shell = try await SessionShell(
            cluster, ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--take-over", "now"])
          let outcome = try await TestProcess(
            other.command([cluster.devrun, "restore", "--all", "--kubeconfig", kubeconfig]),
            environment: other.environment, directory: other.work
          ).outcome()
          #expect(outcome.status == .exited(0), "\(outcome)")
          for word in ["deployment/myapp1", cluster.user.name] { #expect(outcome.errors.contains(word), "\(outcome)") }
          try await shell.isServed(by: "myapp1", at: cluster.port)
          #expect(try await shell.exit(3).status == .exited(3))
        }
      } catch {
        await cleanUp.run()
        throw error
      }
      await cleanUp.run()
    }

    @Test func `A session whose namespace is deleted ends with the command's status`() async throws {
      let cleanUp = CleanUp()
      do {
        let gone = Kubectl(namespace: "\(cluster.kubectl.namespace)-gone")
        try await Cluster.make([gone.namespace], cleanUp)
        try await gone.apply(try cluster.manifest("hesitant"))
        try await Cluster.grant("edit", in: gone, to: "developer", of: cluster.accounts.namespace)
        try await gone.settled()
        let process = try cluster.start([
          "-n", gone.namespace, "-t", "deployment/hesitant", "--take-over", "now", "--", "sh", "-c",
          "echo ready; read line; exit 7",
        ])
        try await process.output.wait(for: "ready")
        try await run(["kubectl", "delete", "namespace", gone.namespace, "--wait=false"])
        // The deployments are deleted with the rest of the namespace.
        try await eventually {
          try await gone("get", "deployments", "-o", "name") == "" ? nil : "the namespace is not empty"
        }
        let end = Cluster.now()
        let outcome = try await process.outcome(input: "\n")
        #expect(outcome.status == .exited(7), "\(outcome)")
        #expect(!outcome.errors.contains("devrun restore"), "\(outcome)")
        #expect(Cluster.now() - end < 20)
        try await cluster.machine.isClean()
      } catch {
        await cleanUp.run()
        throw error
      }
      await cleanUp.run()
    }

    @Test(.enabled(if: Settings.hasKube, "DEVRUN_E2E_KUBE names no script that makes an image"))
    func `An image that asks for SIGQUIT does not hold the end of a session up`() async throws {
      let kube = try #require(cluster.settings.kube)
      let folder = "\(cluster.user.folder)/quits"
      try await run(["mkdir", "-p", "\(folder)/bin", "\(folder)/tmp"])
      try await run(["sh", "-c", "cp $(command -v busybox) \(folder)/bin/ && ln -s busybox \(folder)/bin/sh"])
      let script = "trap 'exit 0' QUIT; while :; do /bin/busybox sleep 0.1; done"
      let configuration = #"{"Cmd":["/bin/sh","-c","\#(script)"],"Env":["PATH=/bin"],"StopSignal":"SIGQUIT"}"#
      try await run([kube, "image", folder, "kube-e2e/quits:1", configuration, "\(folder).tar"])
      try await run([kube, "load", "\(folder).tar"])
      try await cluster.with(manifest: "quits") {
        try await cluster.leavingNoTrace {
          let process = try cluster.start(
            ["-t", "deployment/quits", "--take-over", "now", "--", "sh", "-c", "echo ready; read line"])
          try await process.output.wait(for: "ready")
          let agents = try await cluster.kubectl.pods(of: "quits").map(\.name)
          let end = Cluster.now()
          let outcome = try await process.outcome(input: "\n")
          #expect(outcome.status == .exited(0), "\(outcome)")
          #expect(Cluster.now() - end < 6)
          // An agent that heeds no SIGQUIT would stay for the minute of grace.
          for pod in agents {
            try await cluster.kubectl("wait", "--for=delete", "pod/\(pod)", "--timeout=25s")
          }
        }
      }
    }
  }
}
