import DevrunPlan
import Foundation
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// The names and addresses that programs know in the cluster, beside those of Services.
  @Suite("Names of the cluster", .namedPods)
  struct Names {
    let cluster = Cluster.shared
    let shell = SessionShell.shared

    /// What each URL answers, by one name after the other.
    private var expected: [(url: String, answer: String)] {
      let full = "\(cluster.kubectl.namespace).svc.cluster.local"
      return [
        ("http://db-0.db/", "db-0 "), ("http://db-1.db.\(cluster.kubectl.namespace)/", "db-1 "),
        ("http://db-1.db.\(cluster.kubectl.namespace).svc/", "db-1 "), ("http://db-0.db.\(full)/", "db-0 "),
        ("http://db-0.db.\(full)./", "db-0 "), ("http://db.\(full)./", "db-"),
        ("http://legacy.example/", "the pod without a service"), ("http://legacy/", "the pod without a service"),
      ]
    }

    /// Checks that a program, which prints what each URL answers, finds all names.
    private func expectAnswers(_ program: String) async throws {
      let urls = expected.map(\.url).joined(separator: " ")
      let lines = try await shell.output("\(program) \(urls)").split(separator: "\n").map(String.init)
      #expect(lines.count == expected.count)
      for (line, (url, answer)) in zip(lines, expected) { #expect(line.hasPrefix("\(url) \(answer)"), "\(line)") }
    }

    /// Builds a program of the fixtures where the tests' user can execute it.
    private func build(_ command: [String], _ source: String) async throws -> String {
      let program = "\(cluster.user.folder)/names-\(command[0])"
      let environment = ["env", "CGO_ENABLED=0"]
      try await run(
        environment + command + ["-o", program, Settings.fixture("cluster/\(source)")], within: .seconds(120))
      try await run(["chmod", "755", program])
      return program
    }

    @Test func `Python finds pods of a StatefulSet, complete names with a dot, and hostAliases`() async throws {
      try await expectAnswers("python3 \(cluster.fixtures)/names.py")
    }

    @Test(.enabled(if: isInstalled("node"), "node is not installed"))
    func `Node finds pods of a StatefulSet, complete names with a dot, and hostAliases`() async throws {
      try await expectAnswers("node \(cluster.fixtures)/names.js")
    }

    @Test(.enabled(if: isInstalled("javac"), "javac is not installed"))
    func `Java finds pods of a StatefulSet, complete names with a dot, and hostAliases`() async throws {
      // With its performance data, Java would leave a folder in /tmp.
      try await expectAnswers("java -XX:-UsePerfData \(cluster.fixtures)/Names.java")
    }

    @Test(.enabled(if: isInstalled("go"), "go is not installed"))
    func `A static Go program finds pods of a StatefulSet, complete names with a dot, and hostAliases`() async throws {
      try await expectAnswers(try await build(["go", "build"], "names.go"))
    }

    @Test func `A C program of glibc finds pods of a StatefulSet, complete names with a dot, and hostAliases`()
      async throws
    {
      try await expectAnswers(try await build(["gcc"], "names.c"))
    }

    @Test(.enabled(if: isInstalled("musl-gcc"), "musl-gcc is not installed"))
    func `A static program of musl finds pods of a StatefulSet, complete names with a dot, and hostAliases`()
      async throws
    {
      try await expectAnswers(try await build(["musl-gcc", "-static"], "names.c"))
    }

    @Test func `A pod that is made anew is found at the same local address`() async throws {
      let before = try await cluster.kubectl.value("pod/db-1", ".status.podIP")
      let local = try await shell.output("getent ahostsv4 db-1.db | head -1 | cut -d' ' -f1")
      try await cluster.kubectl("delete", "pod/db-1", "--wait")
      try await cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
      let after = try await cluster.kubectl.value("pod/db-1", ".status.podIP")
      #expect(after != before)
      try await eventually(within: .seconds(20)) {
        let reply = try await shell("curl -sS -m 5 http://db-1.db/")
        return reply.text == "db-1 \(after)\n" ? nil : "\(reply)"
      }
      #expect(try await shell.output("getent ahostsv4 db-1.db | head -1 | cut -d' ' -f1") == local)
    }

    @Test func `A name of the pod's hostAliases that means loopback means this machine`() async throws {
      #expect(try await shell.output("getent ahostsv4 mock.example | head -1 | cut -d' ' -f1") == "127.0.0.1")
    }

    @Test func `A server that binds to its own host name is reached`() async throws {
      let pod = try await cluster.kubectl.sessionPod().name
      #expect(try await shell.output("echo $HOSTNAME") == pod)
      let answer = try await shell.output(
        """
        python3 -c 'import os, socket
        server = socket.create_server((os.environ["HOSTNAME"], 0))
        client = socket.create_connection((os.environ["HOSTNAME"], server.getsockname()[1]), 5)
        print(server.accept()[1] == client.getsockname())'
        """)
      #expect(answer == "True")
    }

    @Test func `A pod that is behind no Service answers at its address, also one that is made later`() async throws {
      let address = try await cluster.kubectl.value("pod/loner", ".status.podIP")
      #expect(try await shell.output("curl -sS -m 20 http://\(address)/") == "the pod without a service")
      let later = try cluster.manifest("names").components(separatedBy: "---\n").last ?? ""
      try await cluster.kubectl.apply(later.replacingOccurrences(of: "name: loner,", with: "name: later,"))
      try await cluster.kubectl("wait", "--for=condition=Ready", "pod/later", "--timeout=60s")
      let other = try await cluster.kubectl.value("pod/later", ".status.podIP")
      try await eventually(within: .seconds(20)) {
        let reply = try await shell("curl -sS -m 5 http://\(other)/")
        return reply.text == "the pod without a service\n" ? nil : "\(reply)"
      }
      try await cluster.kubectl("delete", "pod/later", "--wait")
    }

    @Test func `A pod that is behind no Service is reached by a command that begins with that`() async throws {
      let address = try await cluster.kubectl.value("pod/loner", ".status.podIP")
      let outcome = try await cluster.devrun(
        "-t", "deployment/named", "--take-over", "never", "--", "curl", "-sS", "-m", "20", "http://\(address)/")
      #expect(outcome.output == "the pod without a service\n", "\(outcome)")
    }

    @Test func `A client that asks for IPv6 reaches a Service`() async throws {
      let answer = try await shell.output("curl -6 -sS -m 20 http://myapp2/cgi-bin/peer")
      #expect(answer.contains("myapp2 was asked from"))
    }
  }
}
