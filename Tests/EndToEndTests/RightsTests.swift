import DevrunPlan
import Foundation
import TestSupport
import Testing

extension EndToEnd.Beginnings {
  /// A user who has the rights that the documentation lists, and no other.
  @Suite("Documented rights")
  struct DocumentedRights {
    let cluster = Cluster.shared

    @Test func `The documented rights suffice for each way to use devrun`() async throws {
      let account = try await cluster.account("documented", rights: Right.documented)
      try await cluster.leavingNoTrace {
        let shell = try await SessionShell(
          cluster, ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)"], as: account)
        do {
          try await shell.isServed(by: "myapp1", at: cluster.port)
          #expect(try await shell("curl -sS -m 20 http://myapp2/cgi-bin/peer").status == 0)
        } catch {
          try await shell.exit()
          throw error
        }
        let served = try await shell.exit(5)
        #expect(served.status == .exited(5), "\(served)")
        for options in [["--take-over", "now"], ["--take-over", "never"]] {
          let outcome = try await cluster.start(
            ["-t", "deployment/myapp1"] + options + ["--", "sh", "-c", "exit 5"], as: account
          ).outcome(within: .seconds(60))
          #expect(outcome.status == .exited(5), "\(options): \(outcome)")
        }
        let pod = try await cluster.devrun("--new-pod", "-p", "8080", "--", "sh", "-c", "exit 5", as: account)
        #expect(pod.status == .exited(5), "\(pod)")
        let variables = try await cluster.devrun("env", "-t", "deployment/myapp1", as: account)
        #expect(variables.status == .exited(0) && variables.output.contains("CFG_COLOUR"), "\(variables)")
      }
      try await cluster.forget("documented")
    }

    @Test func `The documented rights suffice to restore what a killed session has changed`() async throws {
      let account = try await cluster.account("restorer", rights: Right.documented)
      try await cluster.leavingNoTrace {
        let process = try cluster.start(
          ["-t", "deployment/myapp1", "--take-over", "now", "--", "sh", "-c", "echo ready; exec sleep 60"], as: account)
        try await process.output.wait(for: "ready")
        try await cluster.killSession(process)
        let listed = try await cluster.devrun("restore", as: account)
        #expect(listed.status == .exited(0) && listed.errors.contains("deployment/myapp1"), "\(listed)")
        let outcome = try await cluster.devrun("restore", "--all", as: account)
        #expect(outcome.status == .exited(0), "\(outcome)")
      }
      try await cluster.forget("restorer")
    }

    @Test func `Each right that a user lacks is named before anything is written`() async throws {
      var accounts: [(right: Right, account: Account, name: String)] = []
      for (index, right) in Right.askedFor.enumerated() {
        let name = "lacks-\(index)"
        accounts.append((right, try await cluster.account(name, rights: Right.documented(without: right)), name))
      }
      try await cluster.touchingNothing {
        for (right, account, _) in accounts {
          let outcome = try await cluster.devrun("-t", "deployment/myapp1", "--", "echo", "started", as: account)
          #expect(outcome.status == .exited(125), "without \(right): \(outcome)")
          #expect(outcome.output == "", "without \(right)")
          // In devrun's words or in the API server's.
          let words = ["\(right.verbs[0]) \(right.resource)", "\(right.verbs[0]) resource \"\(right.resource)\""]
          #expect(words.contains(where: outcome.errors.contains), "without \(right): \(outcome)")
        }
      }
      for (_, _, name) in accounts { try await cluster.forget(name) }
    }
  }
}
