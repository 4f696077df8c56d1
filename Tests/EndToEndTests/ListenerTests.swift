import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// What listens on this machine, and what devrun makes of it.
  @Suite("Listeners of this machine")
  struct Listeners {
    let cluster = Cluster.shared

    /// What the template of a Deployment names as the session that it is redirected to.
    private func session(of deployment: String) async throws -> String {
      try await cluster.kubectl.value(
        "deployment/\(deployment)", #".spec.template.metadata.annotations.devrun\.dev/session"#)
    }

    @Test func `A listener that is older than the command is named and takes no traffic`() async throws {
      let server = try await LocalEnvFile.start(
        cluster, "web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests")
      defer { kill(server, SIGTERM) }
      let outcome = try await cluster.touchingNothing {
        try await cluster.devrun("-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--", "sleep", "2")
      }
      #expect(outcome.status == .exited(0), "\(outcome)")
      let warning = /warning: port (\d+) is listened on already, by (python\S*) \(pid (\d+)\)/
      let found = try #require(outcome.errors.firstMatch(of: warning), "\(outcome)").output
      #expect(found.1 == "\(cluster.port)" && found.3 == "\(server)", "\(outcome)")
    }

    @Test func `A command that listens on another port is reported once, with the option that redirects to it`()
      async throws
    {
      let elsewhere = try freePort()
      let outcome = try await cluster.touchingNothing {
        try await cluster.devrun(
          "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--", "sh", "-c",
          """
          for i in 1 2; do
            id=$(python3 \(cluster.fixtures)/web.py 127.0.0.1 \(elsewhere) \(cluster.user.work)/requests)
            sleep 1; kill $id
          done
          """)
      }
      #expect(outcome.status == .exited(0), "\(outcome)")
      let lines = outcome.errors.split(separator: "\n").filter {
        $0.contains("-p 8080:\(elsewhere) redirects 8080 to it")
      }
      #expect(lines.count == 1, "\(outcome)")
    }

    @Test(arguments: [["--take-over", "never"], ["--new-pod"]])
    func `A server behind a session that takes nothing over changes nothing in the namespace`(
      options: [String]
    ) async throws {
      let target = options == ["--new-pod"] ? [] : ["-t", "deployment/myapp1"]
      try await cluster.touchingNothing {
        let before = try await cluster.kubectl.pods(of: "myapp1").map(\.name).sorted()
        let shell = try await SessionShell(cluster, target + options + ["-p", "8080:\(cluster.port)"])
        do {
          try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests") {
            try await cluster.serves("wget -qO- http://myapp1/", "the app in the cluster")
            #expect(try await session(of: "myapp1") == "")
            #expect(try await cluster.kubectl.pods(of: "myapp1").map(\.name).sorted() == before)
          }
        } catch {
          try await shell.exit()
          throw error
        }
        #expect(try await shell.exit().status == .exited(0))
        try await cluster.machine.isClean()
        try await cluster.kubectl.settled()
      }
    }

    @Test func `The target port of a Service is redirected if the container declares none`() async throws {
      try await cluster.with(manifest: "portless") {
        try await cluster.leavingNoTrace {
          let shell = try await SessionShell(cluster, ["-t", "deployment/portless"])
          do {
            #expect(try await session(of: "portless") == "")
            try await shell.isServed(by: "portless", at: 18080)
          } catch {
            try await shell.exit()
            throw error
          }
          #expect(try await shell.exit().status == .exited(0))
        }
      }
    }

    @Test func `A container without any port is replaced at the start, and devrun prints this`() async throws {
      try await cluster.with(manifest: "portless") {
        try await cluster.leavingNoTrace {
          let process = try cluster.start([
            "-t", "deployment/consumer", "--", "sh", "-c", "echo ready; read line; exit 6",
          ])
          try await process.output.wait(for: "ready")
          #expect(try await session(of: "consumer").count == 8)
          let outcome = try await process.outcome(input: "\n")
          #expect(outcome.status == .exited(6), "\(outcome)")
          #expect(outcome.errors.contains("deployment/consumer"), "\(outcome)")
          #expect(outcome.errors.contains("--take-over"), "\(outcome)")
        }
      }
    }

    @Test func `The file devrun.yaml can ask for the take-over at the start`() async throws {
      let project = "\(cluster.user.work)/asking"
      for folder in [project, "\(project)/.git"] { try cluster.user.own(folder) }
      defer { try? FileManager.default.removeItem(atPath: project) }
      try cluster.user.write(
        "target: deployment/myapp1\ntake-over: now\nports: [\"8080:\(cluster.port)\"]\n", to: "\(project)/devrun.yaml")
      try await cluster.leavingNoTrace {
        let process = try cluster.start(["--", "sh", "-c", "echo ready; read line; exit 6"], directory: project)
        try await process.output.wait(for: "ready")
        #expect(try await session(of: "myapp1").count == 8)
        let outcome = try await process.outcome(input: "\n")
        #expect(outcome.status == .exited(6), "\(outcome)")
      }
    }
  }
}
