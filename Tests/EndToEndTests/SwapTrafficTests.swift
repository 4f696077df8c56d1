import DevrunPlan
import Glibc
import TestSupport
import Testing

extension EndToEnd.Runs {
  @Suite("Traffic during the swap")
  struct SwapTraffic {
    @Test func `A client that asks all the time is answered all the time while a ready server takes the traffic`()
      async throws
    {
      let cluster = Cluster.shared
      try await cluster.leavingNoTrace {
        // The developer's server listens before the session and after it.
        let server = try await EndToEnd.Insides.LocalEnvFile.start(
          cluster, "web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests")
        defer { kill(server, SIGTERM) }
        try await cluster.serves("wget -qO- http://myapp1/", "the app in the cluster")
        let process = try cluster.start([
          "-v", "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--take-over", "now", "--", "sleep", "600",
        ])
        do {
          let (_, answers) = try await cluster.asking("myapp1", every: .milliseconds(30)) {
            try await process.errors.wait(for: "deployment/myapp1 port 8080 -> localhost:\(cluster.port)")
            try await cluster.kubectl.settled()
            try await cluster.serves("wget -qO- http://myapp1/", "the app on this machine")
          }
          #expect(answers.contains { $0.isFromCluster }, "none by the app in the cluster")
          #expect(answers.contains { $0.isFromHere }, "none by the app on this machine")
          let others = answers.filter { !$0.isFromHere && !$0.isFromCluster }
          #expect(others.isEmpty, "\(others)")
        } catch {
          await process.stop()
          throw error
        }
        process.signal(SIGTERM)
        let outcome = try await process.outcome()
        #expect(outcome.status == .killed(SIGTERM, coreDumped: false), "\(outcome)")
        try await cluster.kubectl.settled()
      }
    }
  }
}
