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

    @Test(
      arguments: [
        Right(verbs: ["get", "list"], group: "apps", resource: "deployments"),
        Right(verbs: ["list"], group: "", resource: "services"),
        Right(verbs: ["create"], group: "", resource: "configmaps"),
        Right(verbs: ["patch"], group: "apps", resource: "deployments"),
        Right(verbs: ["get", "list", "watch"], group: "", resource: "pods"),
        Right(verbs: ["get", "create"], group: "", resource: "pods/portforward"),
        Right(verbs: ["delete"], group: "apps", resource: "replicasets"),
        Right(verbs: ["delete"], group: "", resource: "configmaps"),
      ])
    func `A missing right is reported with its resource, and nothing stays changed`(right: Right) async throws {
      let account = try await cluster.account(lacking: right)
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun("-t", "deployment/myapp1", "--", "echo", "started", as: account)
      }
      #expect(outcome.status == .exited(125), "\(outcome)")
      #expect(outcome.output == "")
      #expect(outcome.errors.contains(right.resource.split(separator: "/").last ?? ""), "\(outcome)")
    }

    @Test func `A quota that refuses the agent's pods is reported in the API server's words`() async throws {
      try await cluster.kubectl.settled()
      let pods = try await cluster.kubectl.json("pods")["items"]?.array?.count ?? 0
      // No room for the pod that a rolling update starts first.
      let quota = """
        apiVersion: v1
        kind: ResourceQuota
        metadata: {name: full}
        spec: {hard: {pods: "\(pods)"}}
        """
      try await cluster.kubectl.apply(quota)
      try await eventually {
        try await cluster.kubectl.value("quota/full", ".status.used.pods") == "\(pods)" ? nil : "quota is not counted"
      }
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun("-t", "deployment/myapp1", "--", "echo", "started")
      }
      try await cluster.kubectl.delete(manifest: quota)
      #expect(outcome.status == .exited(125), "\(outcome)")
      #expect(outcome.output == "")
      #expect(outcome.errors.contains("exceeded quota"), "\(outcome)")
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
        let process = try cluster.start(["-t", "deployment/myapp1", "--", "sleep", "60"])
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
        let process = try cluster.start(["-t", "deployment/myapp1", "--", "sleep", "60"])
        try await Task.sleep(for: .milliseconds(milliseconds))
        process.signal(SIGKILL)
        let outcome = try await process.outcome(within: .seconds(60))
        #expect(outcome.status == .killed(SIGKILL, coreDumped: false), "\(outcome)")
      }
    }
  }
}
