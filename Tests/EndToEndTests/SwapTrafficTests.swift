import DevrunPlan
import Glibc
import TestSupport
import Testing

extension EndToEnd.Runs {
  @Suite("Traffic during the swap and the restore")
  struct SwapTraffic {
    @Test func `A client that asks all the time is answered all the time, also during swap and restore`() async throws {
      let cluster = Cluster.shared
      try await cluster.leavingNoTrace {
        // The developer's server listens before the session and after it.
        let server = try await EndToEnd.Insides.LocalEnvFile.start(
          cluster, "web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests")
        defer { kill(server, SIGTERM) }
        try await cluster.serves("wget -qO- http://myapp1/", "the app in the cluster")
        try await cluster.kubectl.script(in: "client", "rm -f /tmp/stop /tmp/seen*")
        async let asking = cluster.kubectl.script(
          in: "client",
          """
          for i in 1 2 3 4; do
            while [ ! -e /tmp/stop ]; do timeout 10 wget -qO- http://myapp1/ 2>&1 || echo "status $?"; done >/tmp/seen$i &
          done; wait
          cat /tmp/seen? | sort | uniq -c | sed 's/^ *//'
          """, within: .seconds(180))
        do {
          let outcome = try await cluster.devrun(
            "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--take-over", "now", "--", "sleep", "3")
          #expect(outcome.status == .exited(0), "\(outcome)")
          try await cluster.kubectl.settled()
        } catch {
          try await cluster.kubectl.script(in: "client", "touch /tmp/stop")
          throw error
        }
        try await cluster.kubectl.script(in: "client", "touch /tmp/stop")
        let seen = try await asking.split(separator: "\n").map { line in
          let parts = line.split(separator: " ", maxSplits: 1)
          return (what: String(parts.last ?? ""), count: Int(parts.first ?? "") ?? 0)
        }
        let answers = ["the app in the cluster", "the app on this machine"]
        for answer in answers { #expect(seen.contains { $0.what == answer && $0.count > 0 }, "none by \(answer)") }
        for (what, count) in seen where !answers.contains(what) { Issue.record("\(count) times: \(what)") }
      }
    }
  }
}
