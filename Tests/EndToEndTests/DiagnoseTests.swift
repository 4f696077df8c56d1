import DevrunPlan
import DevrunCore
import Foundation
import Glibc
import TestSupport
import Testing

/// What no report and no log may contain: values of the target's variables, and of those that the tests give.
private let secrets = ["p4ss", "a second line", "given by hand", "grüße"]

extension EndToEnd.Runs {
  /// `devrun diagnose` while a session runs, by the user whose session it is.
  @Suite(
    "devrun diagnose",
    .session(preparation: { cluster, _ in try await cluster.kubectl.settled() }) {
      ["-v", "-t", "deployment/myapp1", "-p", "8080:\($0.port)", "--take-over", "now", "-e", "GIVEN=given by hand"]
    })
  struct Diagnose {
    let cluster = Cluster.shared
    let shell = SessionShell.shared

    /// The one session, as `--json` tells it.
    func session() async throws -> JSONValue {
      let outcome = try await cluster.devrun("diagnose", "--json")
      #expect(outcome.status == .exited(0) && outcome.errors == "", "\(outcome)")
      for secret in secrets { #expect(!outcome.output.contains(secret)) }
      let report = try Kubectl.parse(outcome.output)
      #expect(report["version"] == 1)
      #expect(report["silent"] == [])
      let sessions = try #require(report["sessions"]?.array)
      #expect(sessions.count == 1)
      return try #require(sessions.first)
    }

    @Test func `devrun diagnose prints all parts of a session as JSON, without secrets`() async throws {
      let session = try await session()
      #expect(session["target"] == "deployment/myapp1")
      #expect(session["namespace"] == .string(cluster.kubectl.namespace))
      #expect(session["container"] == "myapp1")
      #expect(session["stage"] == "running")
      #expect(session["ports"] == [["remote": 8080, "local": .int(Int64(cluster.port))]])

      let pods = session["pods"]?.array ?? []
      let agents = try await cluster.kubectl.pods(of: "myapp1") + [try await cluster.kubectl.sessionPod()]
      #expect(Set(pods.compactMap { $0["name"]?.string }) == Set(agents.map(\.name)))
      #expect(pods.allSatisfy { $0["tunnelSince"]?.string != nil })

      let services = session["services"]?.array ?? []
      let peer = try #require(
        services.first { $0["name"] == "myapp2" && $0["namespace"] == .string(cluster.kubectl.namespace) })
      let address = try await shell.output("getent ahostsv4 myapp2 | head -1 | cut -d' ' -f1")
      #expect(peer["localAddress"] == .string(address))
      let clusterIP = try await cluster.kubectl.value("service/myapp2", ".spec.clusterIP")
      #expect(peer["clusterAddresses"] == [.string(clusterIP)])
      let hosts = session[path: "names", "hosts"]?.array ?? []
      let line = try #require(hosts.first { $0["address"] == .string(address) })
      #expect(line["names"]?.array?.first == "myapp2")
      #expect(session[path: "names", "clusterDomain"] == "cluster.local")

      let volumes = session["volumes"]?.array ?? []
      #expect(volumes.contains { $0["name"] == "secret" && $0["source"] == "secret" })

      let environment = session["environment"]?.array ?? []
      #expect(environment.contains(["name": "PASSWORD", "origin": "container"]))
      #expect(environment.contains(["name": "GIVEN", "origin": "option"]))
      #expect(environment.contains(["name": "USER", "origin": "shell"]))
      #expect(
        environment.contains(["name": "MYAPP2_SERVICE_HOST", "origin": "container", "value": .string(address)]))
    }

    @Test func `devrun diagnose counts connections to the cluster`() async throws {
      func connections() async throws -> Int {
        let pods = try await session()["pods"]?.array ?? []
        return pods.compactMap { $0[path: "traffic", "outboundConnections"]?.int }.reduce(0, +)
      }
      let before = try await connections()
      _ = try await shell.output("curl -sS -m 20 http://myapp2/cgi-bin/peer")
      #expect(try await connections() == before + 1)
    }

    @Test func `devrun diagnose prints target, ports and masked variables as text`() async throws {
      let outcome = try await cluster.devrun("diagnose")
      #expect(outcome.status == .exited(0), "\(outcome)")
      #expect(outcome.output.contains("deployment/myapp1 in namespace \(cluster.kubectl.namespace)"))
      #expect(outcome.output.contains("8080 of the target  -> localhost:\(cluster.port)"))
      #expect(outcome.output.contains("PASSWORD=***"))
      for secret in secrets { #expect(!outcome.output.contains(secret)) }
    }

    @Test func `The session's log is private, named with -v, and has the agents' lines but no secret`() async throws {
      let path = try #require(try await session()["logFile"]?.string)
      #expect(path.hasPrefix("\(cluster.user.temporary)/devrun/"))
      #expect(shell.process.errors.text.contains(path))
      var status = stat()
      #expect(lstat(path, &status) == 0)
      #expect(status.st_mode & 0o7777 == 0o600 && status.st_uid == cluster.user.id)
      for pod in try await cluster.kubectl.pods(of: "myapp1") + [try await cluster.kubectl.sessionPod()] {
        try await eventually {
          let text = try String(contentsOfFile: path, encoding: .utf8)
          return text.contains("agent pod/\(pod.name): devrun-agent: devrun is attached")
            ? nil : "no word of \(pod.name) in\n\(text)"
        }
      }
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains("info  deployment/myapp1 port 8080"))
      for secret in secrets { #expect(!text.contains(secret)) }
    }

    @Test func `devrun diagnose reports a keeper that is stopped`() async throws {
      let keeper = try #require(try await session()["process"]?.int.map(pid_t.init))
      kill(keeper, SIGSTOP)
      let outcome: Outcome
      do {
        outcome = try await cluster.devrun("diagnose")
        kill(keeper, SIGCONT)
      } catch {
        kill(keeper, SIGCONT)
        throw error
      }
      #expect(outcome.status == .exited(0), "\(outcome)")
      #expect(outcome.output.contains("does not answer"), "\(outcome)")
      #expect(try await session()["stage"] == "running")
    }
  }

  @Suite("Logs of sessions")
  struct Logs {
    let cluster = Cluster.shared

    @Test func `devrun diagnose reports that no session is running`() async throws {
      let outcome = try await cluster.devrun("diagnose")
      #expect(outcome.status == .exited(0), "\(outcome)")
      #expect(outcome.output.contains("no session"), "\(outcome)")
      let json = try await cluster.devrun("diagnose", "--json")
      #expect(try Kubectl.parse(json.output)["sessions"] == [])
    }

    @Test func `A failed run prints where its log is, and the log contains the error`() async throws {
      let outcome = try await cluster.touchingNothing {
        try await cluster.devrun("-t", "deployment/none", "--", "true")
      }
      #expect(outcome.status == .exited(125), "\(outcome)")
      let path = try #require(try cluster.machine.logs().first { outcome.errors.contains($0) }, "\(outcome)")
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains("error there is no deployment/none in namespace \(cluster.kubectl.namespace)"), "\(text)")
    }

    @Test func `A session runs without the right to read logs, and its own log reports this`() async throws {
      let account = try await cluster.account(lacking: Right(verbs: ["get"], group: "", resource: "pods/log"))
      let before = Set(try cluster.machine.logs())
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun("-t", "deployment/myapp1", "-p", "8080", "--", "true", as: account)
      }
      #expect(outcome.status == .exited(0), "\(outcome)")
      #expect(!outcome.errors.contains("log"), "\(outcome)")
      let logs = try cluster.machine.logs().filter { !before.contains($0) }
      let text = try String(contentsOfFile: try #require(logs.first), encoding: .utf8)
      #expect(text.contains("the log of the agent in pod/myapp1-"), "\(text)")
      #expect(!text.contains("agent pod/"), "\(text)")
    }
  }
}
