import DevrunPlan
import Foundation
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// Connections of the child to services of the cluster, by an ordinary user on an unchanged machine.
  @Suite("Outbound connections", .session { ["-t", "deployment/myapp1", "-p", "8080:\($0.port)"] })
  struct Outbound {
    let cluster = Cluster.shared
    let shell = SessionShell.shared

    /// Checks that myapp2 was asked from the session's pod: through the tunnel.
    func expectAskedFromPod(_ answer: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
      let address = try await cluster.kubectl.sessionPod().address
      #expect(
        answer.contains("myapp2 was asked from")
          && (answer.contains(":\(address)]") || answer.hasSuffix(" \(address)")),
        "\(answer); the session's pod is at \(address)", sourceLocation: sourceLocation)
    }

    @Test(.enabled(if: geteuid() == 0, "root is needed, to keep the tests' user from the cluster"))
    func `The tests' user reaches no service without devrun`() async throws {
      let address = try await cluster.kubectl.value("service/myapp2", ".spec.clusterIP")
      let outcome = try await run(
        cluster.user.command(["curl", "-sS", "-m", "5", "http://\(address)/"]), expecting: nil)
      #expect(outcome.status != .exited(0), "\(outcome)")
    }

    @Test(
      arguments: [
        "myapp2", "myapp2.svc.cluster.local", "myapp2.NAMESPACE", "myapp2.NAMESPACE.svc",
        "myapp2.NAMESPACE.svc.cluster.local",
      ])
    func `A service answers on port 80 under each of its names`(_ name: String) async throws {
      let name = name.replacingOccurrences(of: "NAMESPACE", with: cluster.kubectl.namespace)
      try await expectAskedFromPod(try await shell.output("curl -sS -m 20 http://\(name)/cgi-bin/peer"))
    }

    @Test(
      arguments: [
        "myapp2.NAMESPACE", "myapp2.NAMESPACE.svc", "myapp2.NAMESPACE.svc.cluster.local",
      ])
    func `A service of another namespace answers on its own port`(_ name: String) async throws {
      let name = name.replacingOccurrences(of: "NAMESPACE", with: cluster.other.namespace)
      #expect(try await shell.output("curl -sS -m 20 http://\(name):8080/") == "myapp2 of another namespace")
    }

    @Test func `A service answers at its cluster address, and a pod at its own`() async throws {
      let service = try await cluster.kubectl.value("service/myapp2", ".spec.clusterIP")
      let pod = try #require(try await cluster.kubectl.pods(of: "myapp2").first).address
      for address in [service, pod] {
        try await expectAskedFromPod(try await shell.output("curl -sS -m 20 http://\(address)/cgi-bin/peer"))
      }
    }

    @Test func `A static C program reaches a service from the pod`() async throws {
      let program = "\(cluster.user.folder)/connect"
      try await run(["gcc", "-static", "-O1", "-o", program, "\(cluster.fixtures)/connect.c"])
      try await run(["chmod", "755", program])
      let answer = try await shell.output("\(program) myapp2 80 /cgi-bin/peer")
      try await expectAskedFromPod(String(answer.split(separator: "\n").last ?? ""))
    }

    @Test(
      arguments: [
        ("blocking", "connect myapp2 80", "connected"),
        ("nonblocking", "connect myapp2 80", "connected"),
        ("blocking", "greet peer 25", "220 peer ready\r\n250 heard hello"),
        ("nonblocking", "greet peer 25", "220 peer ready\r\n250 heard hello"),
        // Of 5,000,000 times the letter x.
        ("blocking", "digest peer 7000", "03a7bd518f3e4ecac11f2e77f7437928ba5d80ac0b2b26a523d90e7628bfd59b  -"),
        ("nonblocking", "digest peer 7000", "03a7bd518f3e4ecac11f2e77f7437928ba5d80ac0b2b26a523d90e7628bfd59b  -"),
        ("blocking", "reset peer 7001", "begin\nand a reset"),
        ("nonblocking", "reset peer 7001", "begin\nand a reset"),
        ("blocking", "refused peer 7999", "ECONNREFUSED"),
        ("blocking", "refused dead 80", "ECONNREFUSED"),
      ])
    func `Blocking and non-blocking clients see what they would see in the cluster`(
      manner: String, talk: String, seen: String
    ) async throws {
      // Python reads text with universal newlines; the shell's transcript does not.
      #expect(try await shell.output("python3 \(cluster.fixtures)/client.py \(manner) \(talk)") == seen)
    }

    @Test(arguments: ["peer 7999", "dead 80"])
    func `A non-blocking client of a dead service is refused or reset`(destination: String) async throws {
      let seen = try await shell.output("python3 \(cluster.fixtures)/client.py nonblocking refused \(destination)")
      #expect(seen == "ECONNREFUSED" || seen == "ECONNRESET")
    }

    @Test(arguments: ["blocking", "nonblocking"])
    func `Requests of blocking and non-blocking clients come from the pod`(manner: String) async throws {
      try await expectAskedFromPod(
        try await shell.output("python3 \(cluster.fixtures)/client.py \(manner) get myapp2 80"))
    }

    @Test func `A connect to a dead service fails for a program that only connects`() async throws {
      #expect(try await shell("timeout 10 bash -c '</dev/tcp/dead/80'").status == 1)
      #expect(try await shell("timeout 10 bash -c '</dev/tcp/peer/7999'").status == 1)
      #expect(try await shell("timeout 10 bash -c '</dev/tcp/myapp2/80'").status == 0)
    }

    @Test func `A client that stops reading does not stall other clients`() async throws {
      // "endless" sends until it is reset; nothing here reads more than the first byte.
      let flowing = "\(cluster.user.work)/flowing"
      _ = try await shell.output(
        """
        mkfifo \(flowing)
        bash -c 'exec 3<>/dev/tcp/peer/7002; head -c 1 <&3 | od -An -tx1 >\(flowing); exec sleep 60' &
        echo $! >\(cluster.user.work)/stalled; cat \(flowing); rm \(flowing)
        """)
      for _ in 1...5 {
        try await expectAskedFromPod(try await shell.output("curl -sS -m 20 http://myapp2/cgi-bin/peer"))
      }
      _ = try await shell.output("kill $(cat \(cluster.user.work)/stalled)")
    }

    @Test func `A thousand requests in twenty parallel connections are answered`() async throws {
      let answers = try await shell.output(
        "seq 1000 | xargs -P 20 -I{} curl -sS -m 60 http://myapp2/cgi-bin/peer 2>&1 | cut -d' ' -f1-5 | sort | uniq -c")
      #expect(answers.split(separator: " ").first == "1000", "\(answers)")
      #expect(answers.hasSuffix("myapp2 was asked from") || answers.contains("myapp2 was asked from"), "\(answers)")
    }

    @Test func `The command's hosts file lists the services, and this machine's file does not`() async throws {
      let machine = try String(contentsOfFile: "/etc/hosts", encoding: .utf8)
      #expect(!machine.contains("myapp2"))
      let view = try await shell.output("cat /etc/hosts")
      #expect(view.contains("myapp2"))
      let address = try await shell.output("getent ahostsv4 myapp2 | head -1 | cut -d' ' -f1")
      #expect(address.hasPrefix("127."))
      let localhost = try await shell.output("getent ahostsv4 localhost | head -1 | cut -d' ' -f1")
      #expect(localhost == "127.0.0.1")
      // The network is this machine's.
      let network = try await run(["readlink", "/proc/self/ns/net"]).output.trimmed
      #expect(try await shell.output("readlink /proc/self/ns/net") == network)
    }

    @Test func `A service that is created during a session is reachable by the running command`() async throws {
      let before = try await shell("getent hosts latecomer")
      #expect(before.status != 0)
      try await cluster.kubectl(
        "expose", "deployment", "myapp2", "--name", "latecomer", "--port", "8000", "--target-port", "80")
      try await eventually(within: .seconds(20)) {
        let reply = try await shell("curl -sS -m 10 http://latecomer:8000/cgi-bin/peer")
        return reply.status == 0 && reply.text.contains("myapp2 was asked from") ? nil : "\(reply)"
      }
      try await cluster.kubectl("delete", "service", "latecomer")
    }

    @Test func `The command reaches a local server through loopback`() async throws {
      let log = "\(cluster.user.work)/requests"
      try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(log)") {
        let answer = try await shell.output("curl -sS -m 10 http://127.0.0.1:\(cluster.port)/")
        #expect(answer == "the app on this machine")
      }
    }
  }
}

extension String {
  /// Without white space at its ends.
  var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
