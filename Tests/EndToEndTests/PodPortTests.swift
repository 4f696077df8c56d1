import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// What only the target's pods reach: their own localhost, and the node.
  @Suite("Ports and hosts of the pod's place")
  struct PodPorts {
    let cluster = Cluster.shared

    /// Runs a session on an app with a sidecar.
    private func session(
      _ arguments: [String], file: String? = nil, _ body: (SessionShell) async throws -> Void
    ) async throws {
      try await cluster.with(manifest: "sidecar") {
        try await cluster.leavingNoTrace(restless: "node-agent") {
          let project = "\(cluster.user.work)/helped"
          try cluster.user.own(project)
          defer { try? FileManager.default.removeItem(atPath: project) }
          if let file { try cluster.user.write(file, to: "\(project)/devrun.yaml") }
          let shell = try await SessionShell(
            cluster, ["-t", "deployment/helped", "-p", "8080:\(cluster.port)"] + arguments, directory: project)
          do {
            try await body(shell)
          } catch {
            try await shell.exit()
            throw error
          }
          let outcome = try await shell.exit()
          #expect(outcome.status == .exited(0), "\(outcome)")
        }
      }
    }

    private func names() async throws -> Set<String> { Set(try await cluster.kubectl.pods(of: "helped").map(\.name)) }

    @Test func `A sidecar's port answers before and after the swap, and after its pod was deleted`() async throws {
      let local = try freePort()
      try await session(["--pod-port", "3500:\(local)"]) { shell in
        let ask = "curl -sS -m 20 http://localhost:\(local)/"
        let first = try await shell.output(ask)
        #expect(try await names().contains(first))
        // The same pod as long as it lives: a sidecar remembers who it serves.
        for _ in 1...5 { #expect(try await shell.output(ask) == first) }

        try await cluster.kubectl("delete", "pod", first, "--wait=false")
        try await eventually {
          let next = try await shell.output(ask)
          return next == first ? "the pod that is deleted answers" : nil
        }

        try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests") {
          try await cluster.serves("wget -qO- http://helped/", "the app on this machine")
          try await eventually {
            let answer = try await shell.output(ask)
            return try await names().contains(answer) ? nil : "\(answer) is none of the pods"
          }
          let replaced = try await shell.output(ask)
          try await cluster.kubectl("delete", "pod", replaced, "--wait=false")
          try await eventually {
            let next = try await shell.output(ask)
            return next == replaced ? "the replaced pod that is deleted answers" : nil
          }
        }
      }
    }

    @Test func `What a sidecar sends arrives whole, and its end with it, through either way`() async throws {
      let (greeting, bytes) = (try freePort(), try freePort())
      try await session(["--pod-port", "7100:\(greeting)", "--pod-port", "7102:\(bytes)"]) { shell in
        func expectWhole() async throws {
          let talk = """
            python3 -c 'import socket
            s = socket.create_connection(("127.0.0.1", \(greeting)), 20)
            f = s.makefile("rw"); print(f.readline(), end="")
            f.write("hello\\n"); f.flush(); print(f.read(), end="")'
            """
          #expect(try await shell.output(talk) == "greetings\nheard hello")
          let count = """
            python3 -c 'import socket
            s = socket.create_connection(("127.0.0.1", \(bytes)), 20); n = 0
            while b := s.recv(65536): n += len(b)
            print(n)'
            """
          #expect(try await shell.output(count) == "5000000")
        }
        try await expectWhole()
        try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests") {
          try await cluster.serves("wget -qO- http://helped/", "the app on this machine")
          try await expectWhole()
        }
      }
    }

    @Test func `A port on which nothing listens in the pod is reported with the cluster's words`() async throws {
      let local = try freePort()
      try await session(["--pod-port", "3999:\(local)"]) { shell in
        let answer = try await shell("curl -sS -m 20 http://127.0.0.1:\(local)/")
        #expect(answer.status != 0)
        try await shell.process.errors.wait(for: "port 3999 on the localhost of pod/helped-", within: .seconds(10))
      }
    }

    @Test func `A node's address is reached from the session pod by a variable of the container`() async throws {
      let file = "via-pod: [\"${env.NODE_IP}:18126\"]\n"
      try await session([], file: file) { shell in
        let answer = try await shell.output("curl -sS -m 20 http://$NODE_IP:18126/cgi-bin/peer")
        let address = try await cluster.kubectl.sessionPod().address
        #expect(answer.hasSuffix("\(address)]") || answer.hasSuffix(" \(address)"), "\(answer), not from \(address)")
      }
    }

    @Test func `A local port that is taken is an error before the cluster is touched`() async throws {
      try await cluster.touchingNothing {
        let descriptor = try Listener()
        let outcome = try await cluster.devrun(
          "-t", "deployment/myapp1", "--pod-port", "3500:\(descriptor.port)", "--", "true")
        #expect(outcome.status == .exited(125))
        #expect(outcome.errors.contains("port \(descriptor.port) of this machine"), "\(outcome)")
      }
    }

    @Test func `A target without pods has no localhost to reach`() async throws {
      try await cluster.with(manifest: "sidecar") {
        try await cluster.kubectl("scale", "deployment/helped", "--replicas=0")
        try await cluster.kubectl.settled(restless: "node-agent")
        let outcome = try await cluster.devrun(
          "-t", "deployment/helped", "--take-over", "never", "--pod-port", "3500:\(try freePort())", "--",
          "true")
        #expect(outcome.status == .exited(125))
        #expect(outcome.errors.contains("deployment/helped has no pod that runs"), "\(outcome)")
      }
    }
  }

  /// Something that listens on localhost.
  private final class Listener {
    let port: Int
    private let descriptor: Int32

    init() throws {
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = in_addr_t(bigEndian: 0x7f00_0001)
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let number = descriptor
      let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(number, $0, size) == 0 && listen(number, 1) == 0 ? getsockname(number, $0, &size) : -1
        }
      }
      guard descriptor >= 0, result == 0 else { throw TestFailure("nothing can listen: \(errno)") }
      port = Int(in_port_t(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
  }
}
