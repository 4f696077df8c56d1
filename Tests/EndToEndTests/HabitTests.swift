import DevrunPlan
import Foundation
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// What containers bring along that programs of this machine do not expect.
  @Suite("Habits of containers")
  struct Habits {
    let cluster = Cluster.shared

    @Test func `Programs start although the container names toolchains of its own image`() async throws {
      try await cluster.with(manifest: "habits") {
        let outcome = try await cluster.leavingNoTrace {
          try await cluster.devrun(
            "-v", "-t", "deployment/habits", "--take-over", "never", "--", "sh", "-c",
            """
            python3 -c 'print("python")'
            if command -v node >/dev/null; then node -e 'console.log("node")'; else echo node; fi
            if command -v java >/dev/null; then java -XX:-UsePerfData -version 2>&1 | grep -c agent.jar; else echo 0; fi
            echo "$HEAP ${JAVA_HOME-unset}"
            """)
        }
        #expect(outcome.output == "python\nnode\n0\n64m unset\n", "\(outcome)")
        for name in ["PYTHONHOME", "JAVA_HOME", "JAVA_TOOL_OPTIONS", "NODE_OPTIONS"] {
          #expect(outcome.errors.contains(name), "\(name) is not named: \(outcome)")
        }
      }
    }

    @Test func `A server that binds to the pod's own address is reached from the cluster`() async throws {
      try await cluster.with(manifest: "habits") {
        try await cluster.leavingNoTrace {
          let shell = try await SessionShell(
            cluster, ["-t", "deployment/habits", "-p", "8080:\(cluster.port)"], directory: cluster.user.work)
          do {
            try await shell.serving("web.py \"$POD_IP\" \(cluster.port) \(cluster.user.work)/requests") {
              try await cluster.serves("wget -qO- http://habits/", "the app on this machine")
              #expect(
                try await shell.output("curl -sS -m 20 http://$POD_IP:\(cluster.port)/") == "the app on this machine")
            }
          } catch {
            try await shell.exit()
            throw error
          }
          let outcome = try await shell.exit()
          #expect(outcome.status == .exited(0), "\(outcome)")
        }
      }
    }
  }
}
