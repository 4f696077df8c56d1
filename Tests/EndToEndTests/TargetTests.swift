import DevrunPlan
import Foundation
import TestSupport
import Testing

extension EndToEnd.Beginnings {
  @Suite("Targets and mistakes")
  struct Targets {
    let cluster = Cluster.shared

    @Test func `A missing command gives 127, one that cannot be executed 126, and nothing is touched`() async throws {
      try await cluster.touchingNothing {
        let missing = try await cluster.devrun("-t", "deployment/myapp1", "--", "no-such-command")
        #expect(missing.status == .exited(127), "\(missing)")
        #expect(missing.errors.contains("no-such-command"))
        #expect(missing.output == "")
        let folder = try await cluster.devrun("-t", "deployment/myapp1", "--", cluster.user.folder)
        #expect(folder.status == .exited(126), "\(folder)")
      }
    }

    @Test func `A run without a target lists the candidates and touches nothing`() async throws {
      let outcome = try await cluster.touchingNothing { try await cluster.devrun("--", "true") }
      #expect(outcome.status == .exited(125), "\(outcome)")
      for name in ["myapp1", "myapp2", "peer"] { #expect(outcome.errors.contains("deployment/\(name)"), "\(outcome)") }
      #expect(outcome.output == "")
    }

    @Test(
      arguments: [
        (["-t", "deployment/myap1"], "myapp1"),
        (["-t", "deplyoment/myapp1"], "deployment"),
        (["-t", "deployment/myapp1", "-c", "nosuch"], "myapp1"),
        (["-t", "service/dead"], "dead"),
        (["-t", "deployment/myapp1", "-n", "no-such-namespace"], "no-such-namespace"),
        (["-t", "deployment/myapp1", "--context", "nosuch"], "devrun-e2e-"),
        (["-t", "deployment/myapp1", "--kubeconfig", "/nonexistent/config"], "/nonexistent/config"),
        (["-t", "deployment/myapp1", "-p", "eighty"], "eighty"),
        (["-t", "deployment/myapp1", "-p", "8080:9000", "-p", "8080:9001"], "8080"),
        (["-t", "deployment/myapp1", "--take-over", "later"], "later"),
        (["-t", "deployment/myapp1", "--start-timeout", "soon"], "soon"),
        (["-t", "deployment/myapp1", "-e", "=value"], "=value"),
      ])
    func `A wrong target, container or option is reported, and nothing is touched`(
      options: [String], word: String
    ) async throws {
      let outcome = try await cluster.touchingNothing {
        try await cluster.start(options + ["--", "true"]).outcome(within: .seconds(60))
      }
      #expect(outcome.status == .exited(125), "\(outcome)")
      #expect(outcome.errors.contains(word), "\(outcome)")
      #expect(outcome.output == "")
    }

    @Test func `A Service as the target stands for the workload of its pods`() async throws {
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun("-t", "svc/myapp1", "--", "sh", "-c", "echo $CFG_COLOUR; exit 3")
      }
      #expect(outcome.status == .exited(3), "\(outcome)")
      #expect(outcome.output == "blue\n")
    }

    @Test func `A Service of a StatefulSet as the target is reported with what it leads to`() async throws {
      try await cluster.with(manifest: "stateful") {
        let outcome = try await cluster.devrun("-t", "service/stateful", "--", "echo", "started")
        #expect(outcome.status == .exited(125), "\(outcome)")
        #expect(outcome.output == "")
        #expect(outcome.errors.lowercased().contains("statefulset/stateful"), "\(outcome)")
        #expect(!outcome.errors.contains("several"), "\(outcome)")
      }
    }

    @Test func `A pod as the target stands for the Deployment that owns it, and devrun prints this`() async throws {
      try await cluster.kubectl.settled()
      let pod = try #require(try await cluster.kubectl.pods(of: "myapp1").first).name
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun("-t", "pod/\(pod)", "-v", "--", "sh", "-c", "echo $CFG_COLOUR; exit 3")
      }
      #expect(outcome.status == .exited(3), "\(outcome)")
      #expect(outcome.output == "blue\n")
      #expect(outcome.errors.contains("deployment/myapp1"), "\(outcome)")
    }

    @Test func `The option --new-pod creates one pod and leaves everything else unchanged`() async throws {
      try await cluster.kubectl.settled()
      let before = try await cluster.kubectl.resourceVersions()
      let outcome = try await cluster.leavingNoTrace {
        let shell = try await SessionShell(cluster, ["--new-pod", "-p", "8080:\(cluster.port)"])
        do {
          let now = try await cluster.kubectl.resourceVersions()
          let pods = now.keys.filter { $0.hasPrefix("Pod/") && before[$0] == nil }
          #expect(pods.count == 1, "\(pods)")
          for (name, version) in before { #expect(now[name] == version, "\(name)") }
          let answer = try await shell.output("curl -sS -m 20 http://myapp2/cgi-bin/peer")
          #expect(answer.hasPrefix("myapp2 was asked from"), "\(answer)")
          let pod = try #require(pods.first).dropFirst("Pod/".count)
          let address = try await cluster.kubectl.value("pod/\(pod)", ".status.podIP")
          #expect(answer.contains(address))
          try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests") {
            let answer = try await cluster.kubectl.script(in: "client", "timeout 20 wget -qO- http://\(address):8080/")
            #expect(answer == "the app on this machine\n")
          }
        } catch {
          try await shell.exit()
          throw error
        }
        return try await shell.exit(5)
      }
      #expect(outcome.status == .exited(5), "\(outcome)")
      let after = try await cluster.kubectl.resourceVersions()
      for (name, version) in before { #expect(after[name] == version, "\(name)") }
    }

    @Test func `A second session that would take the same target's traffic is refused, and the first goes on`()
      async throws
    {
      try await cluster.leavingNoTrace {
        let first = try await SessionShell(
          cluster, ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--take-over", "now"])
        do {
          let second = try await cluster.devrun("-t", "deployment/myapp1", "--take-over", "now", "--", "true")
          #expect(second.status == .exited(125), "\(second)")
          #expect(second.errors.contains("myapp1"), "\(second)")
          let beside = try await cluster.devrun("-t", "deployment/myapp1", "--take-over", "never", "--", "true")
          #expect(beside.status == .exited(0), "\(beside)")
          #expect(try await first("curl -sS -m 20 http://myapp2/cgi-bin/peer").status == 0)
        } catch {
          try await first.exit()
          throw error
        }
        #expect(try await first.exit().status == .exited(0))
      }
    }
  }
}
