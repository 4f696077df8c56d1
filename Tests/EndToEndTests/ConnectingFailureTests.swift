import DevrunPlan
import DevrunCore
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd.Beginnings {
  /// What goes wrong while devrun connects leaves no trace.
  @Suite("Failures while connecting")
  struct ConnectingFailures {
    let cluster = Cluster.shared

    @Test func `A quota that refuses the session pod is reported in the API server's words`() async throws {
      try await cluster.kubectl.settled()
      let pods = try await cluster.kubectl.json("pods")["items"]?.array?.count ?? 0
      // No room for one more.
      try await cluster.with(quota: pods) {
        let outcome = try await cluster.touchingNothing {
          try await cluster.devrun("-t", "deployment/myapp1", "--", "echo", "started")
        }
        #expect(outcome.status == .exited(125), "\(outcome)")
        #expect(outcome.output == "")
        #expect(outcome.errors.contains("exceeded quota"), "\(outcome)")
      }
    }

    @Test func `A token that the API server refuses ends devrun with 125, and nothing is touched`() async throws {
      let path = "\(cluster.user.folder)/refused.kubeconfig"
      let config = try String(contentsOfFile: cluster.developer.kubeconfig, encoding: .utf8)
      let token = try #require(config.firstMatch(of: /"token":"([^"]+)"/)).output.1
      try cluster.user.write(config.replacingOccurrences(of: token, with: "refused"), to: path)
      let outcome = try await cluster.touchingNothing {
        try await cluster.devrun("-t", "deployment/myapp1", "--", "true", as: Account(kubeconfig: path))
      }
      #expect(outcome.status == .exited(125), "\(outcome)")
      #expect(!outcome.errors.contains(token))
    }

    @Test func `An API server that does not answer is reported with its address`() async throws {
      let path = "\(cluster.user.folder)/unreachable.kubeconfig"
      let config = try String(contentsOfFile: cluster.developer.kubeconfig, encoding: .utf8)
      let server = try #require(config.firstMatch(of: /"server":"([^"]+)"/)).output.1
      try cluster.user.write(config.replacingOccurrences(of: server, with: "https://127.0.0.1:1"), to: path)
      let outcome = try await cluster.devrun("-t", "deployment/myapp1", "--", "true", as: Account(kubeconfig: path))
      #expect(outcome.status == .exited(125), "\(outcome)")
      #expect(outcome.errors.contains("127.0.0.1:1"), "\(outcome)")
    }

    @Test(arguments: [20, 300, 1000, 1800, 3000])
    func `SIGTERM at any moment of connecting leaves no trace`(milliseconds: Int) async throws {
      try await cluster.leavingNoTrace {
        let process = try cluster.start(["-t", "deployment/myapp1", "--take-over", "now", "--", "sleep", "60"])
        // Not a wait for something: the moment itself is what is tried.
        try await Task.sleep(for: .milliseconds(milliseconds))
        process.signal(SIGTERM)
        let outcome = try await process.outcome(within: .seconds(60))
        #expect(
          [.killed(SIGTERM, coreDumped: false), .exited(143), .exited(125)].contains(outcome.status), "\(outcome)")
      }
    }

    @Test(arguments: [300, 1000, 2000])
    func `SIGKILL of the front at any moment of connecting leaves no trace`(milliseconds: Int) async throws {
      try await cluster.leavingNoTrace {
        let process = try cluster.start(["-t", "deployment/myapp1", "--take-over", "now", "--", "sleep", "60"])
        try await Task.sleep(for: .milliseconds(milliseconds))
        process.signal(SIGKILL)
        let outcome = try await process.outcome(within: .seconds(60))
        #expect(outcome.status == .killed(SIGKILL, coreDumped: false), "\(outcome)")
      }
    }
  }
}
