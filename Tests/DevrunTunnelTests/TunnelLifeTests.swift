import DevrunAgent
import DevrunAgentAPI
import DevrunCore
import DevrunSystem
import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import DevrunTunnel

@Suite(.timeLimit(.minutes(2))) struct TunnelLifeTests {
  @Test func `A tunnel with a wrong secret is refused`() async throws {
    try await TunnelFixture.run { fixture in
      let wrong = [UInt8](repeating: 1, count: 32)
      let error = await #expect(throws: TunnelError.self) {
        try await fixture.withTunnel(secret: wrong) { _ in }
      }
      guard case .refused(.wrongSecret, Preface.currentVersion, _) = error else {
        Issue.record("the agent said \(String(describing: error))")
        return
      }
    }
  }

  @Test func `A server that is not an agent is recognised`() async throws {
    let web: @Sendable (TestSocket) async throws -> Void = { socket in
      _ = try await socket.read()
      try await socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")
      try await socket.closeOutput()
    }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: web) { port in
        let error = await #expect(throws: TunnelError.self) {
          try await fixture.withTunnel(via: SocketAddress(ipAddress: "127.0.0.1", port: port)) { _ in }
        }
        guard case .noAgent = error else {
          Issue.record("the error was \(String(describing: error))")
          return
        }
      }
    }
  }

  @Test func `An agent that never answers causes a timeout`() async throws {
    let silent: @Sendable (TestSocket) async throws -> Void = { while try await $0.read() != nil {} }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: silent) { port in
        var options = Tunnel.Options()
        options.handshakeTimeout = .milliseconds(50)
        await #expect(throws: TunnelError.timedOut) {
          try await fixture.withTunnel(options: options, via: SocketAddress(ipAddress: "127.0.0.1", port: port)) { _ in
          }
        }
      }
    }
  }

  @Test func `Strangers at the control port are closed and cannot block a tunnel`() async throws {
    try await TunnelFixture.run { fixture in
      var strangers: [TestSocket] = []
      for _ in 0..<40 { strangers.append(try await fixture.socket(to: fixture.control)) }
      let talker = try await fixture.socket(to: fixture.control)
      try await talker.write("GET / HTTP/1.1\r\n\r\n")
      let answer = try await talker.readAll()
      var parser = PrefaceParser()
      guard case .refused(_, PrefaceRefusal.malformed.rawValue, _) = try parser.answer(from: answer).answer else {
        Issue.record("the agent answered \(answer)")
        return
      }
      try await fixture.withTunnel { tunnel in
        let environment = try await tunnel.environment()
        #expect(!environment.isEmpty)
      }
      // Only the few that came last may still be waiting for their time to be over.
      for stranger in strangers.dropLast(8) { _ = await stranger.isReset() }
    }
  }

  @Test func `The container's environment arrives byte for byte`() async throws {
    let lines: [RawString] = [
      "PLAIN=value", "EMPTY=", "LINES=one\ntwo\n", "UMLAUT=grün", "=odd", "NOTHING",
      RawString([0x42, 0x3d, 0xff, 0xfe]),
      "TWICE=1", "TWICE=2", RawString("LONG=" + String(repeating: "x", count: 300_000)),
    ]
    try await withTemporaryFolder { folder in
      try write(NULSeparated.encode(lines), to: "\(folder)/environ")
      try await TunnelFixture.run(environmentFile: "\(folder)/environ") { fixture in
        try await fixture.withTunnel { tunnel in
          let received = try await tunnel.environment()
          #expect(received == EnvironmentVariables(entries: lines, origin: .container))
          // Entries without a name or a value are nobody's, and the first of two counts.
          #expect(received.count == 7 && received["TWICE"] == "1")
        }
      }
    }
  }

  @Test func `The agent reports its own process environment by default`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withTunnel { tunnel in
        let path = try await tunnel.environment()["PATH"]
        #expect(path == RawString(String(cString: getenv("PATH"))))
      }
    }
  }

  @Test func `An environment that the agent cannot read is an error with the path`() async throws {
    try await TunnelFixture.run(environmentFile: "/nonexistent/environ") { fixture in
      try await fixture.withTunnel { tunnel in
        let error = await #expect(throws: TunnelError.self) { try await tunnel.environment() }
        guard case .failedRequest(_, let why) = error else {
          Issue.record("the error was \(String(describing: error))")
          return
        }
        #expect(why.contains("/nonexistent/environ"))
      }
    }
  }

  @Test func `The agent reports the resolv.conf of its container as it is`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withTunnel { tunnel in
        let reported = try await tunnel.info().resolvConf
        let file = "/etc/resolv.conf"
        let expected = access(file, F_OK) == 0 ? try String(contentsOfFile: file, encoding: .utf8) : ""
        #expect(reported == expected)
      }
    }
  }

  @Test func `A closed tunnel resets its connections, and the next tunnel works at once`() async throws {
    let (ends, report) = AsyncStream.makeStream(of: Bool.self)
    let service: @Sendable (TestSocket) async throws -> Void = { report.yield(await $0.isReset()) }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: service) { port in
        let tunnel = try await fixture.connect()
        let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
        try await socket.write("x")
        await tunnel.close()
        #expect(await ends.first { _ in true } == true)
        #expect(await socket.isReset())
        await #expect(throws: DialError.tunnelClosed) { try await tunnel.dial(host: "127.0.0.1", port: port) }
        await #expect(throws: TunnelError.self) { try await tunnel.environment() }
        try await fixture.withTunnel { tunnel in
          let environment = try await tunnel.environment()
          #expect(!environment.isEmpty)
        }
      }
    }
  }

  @Test func `A tunnel's end is reported as closed by this side or as lost`() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    defer { Task { try await group.shutdownGracefully() } }
    try await TunnelFixture.run { fixture in
      let closed = try await fixture.connect()
      await closed.close()
      try await closed.closed.get()
      let lost = try await fixture.connect()
      try await fixture.agent.close().get()
      let error = await #expect(throws: TunnelError.self) { try await lost.closed.get() }
      guard case .lost = error else {
        Issue.record("the error was \(String(describing: error))")
        return
      }
    }
  }

  @Test func `The cluster's connections go to the newest tunnel, then back to the older one`() async throws {
    func says(_ text: String) -> @Sendable (TestSocket) async throws -> Void {
      { socket in
        try await socket.write(text)
        try await socket.closeOutput()
      }
    }
    try await TunnelFixture.run { fixture in
      let target = try SocketAddress(ipAddress: "127.0.0.1", port: #require(fixture.targets[0].port))
      let targetPort = try #require(target.port)
      try await fixture.withServer(serve: says("older")) { older in
        try await fixture.withServer(serve: says("newer")) { newer in
          try await fixture.withTunnel(localPorts: [targetPort: older]) { _ in
            #expect(try await fixture.socket(to: target).readAll() == Array("older".utf8))
            let second = try await fixture.connect(localPorts: [targetPort: newer])
            #expect(try await fixture.socket(to: target).readAll() == Array("newer".utf8))
            await second.close()
            // The agent learns of the end when its own side closes: until then the newer one is asked, and resets.
            var answer: [UInt8]?
            while answer == nil { answer = try? await fixture.socket(to: target).readAll() }
            #expect(answer == Array("older".utf8))
          }
        }
      }
    }
  }

  @Test func `The ready file exists exactly as long as a tunnel is attached`() async throws {
    try await withTemporaryFolder { folder in
      let file = "\(folder)/ready"
      // A former run's file must not outlive it.
      try write([], to: file)
      try await TunnelFixture.run(readyFile: file) { fixture in
        #expect(access(file, F_OK) != 0)
        try await fixture.withTunnel { tunnel in
          // Both connections are attached when the agent answers on one and the other is complete; ask through it.
          _ = try await tunnel.info()
          #expect(access(file, F_OK) == 0)
        }
        // The agent learns of the end when its own side closes.
        while access(file, F_OK) == 0 { await Task.yield() }
      }
    }
  }

  @Test func `An ending agent serves open connections for a while, then resets the rest`() async throws {
    try await TunnelFixture.run { fixture in
      let target = try SocketAddress(ipAddress: "127.0.0.1", port: #require(fixture.targets[0].port))
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel(localPorts: [#require(target.port): port]) { _ in
          let finishing = try await fixture.socket(to: target)
          let lasting = try await fixture.socket(to: target)
          try await finishing.write("a")
          try await lasting.write("b")
          #expect(try await finishing.read(exactly: 1) == Array("a".utf8))
          #expect(try await lasting.read(exactly: 1) == Array("b".utf8))
          var patience = Agent.Patience()
          patience.serving = .milliseconds(10)
          patience.draining = .seconds(3)
          let ended = fixture.agent.end(patience)
          try await finishing.write("last words")
          try await finishing.closeOutput()
          #expect(try await finishing.readAll() == Array("last words".utf8))
          try await ended.get()
          #expect(await lasting.isReset())
        }
      }
    }
  }

  @Test func `An agent without a tunnel ends at once and resets who waits for one`() async throws {
    try await TunnelFixture.run { fixture in
      let target = try SocketAddress(ipAddress: "127.0.0.1", port: #require(fixture.targets[0].port))
      let waiting = try await fixture.socket(to: target)
      var patience = Agent.Patience()
      patience.serving = .hours(1)
      try await fixture.agent.end(patience).get()
      #expect(await waiting.isReset())
    }
  }

  @Test func `An ending agent ends at once when its tunnel does`() async throws {
    try await TunnelFixture.run { fixture in
      var patience = Agent.Patience()
      patience.serving = .hours(1)
      let ended = try await fixture.withTunnel { tunnel in
        _ = try await tunnel.info()
        return fixture.agent.end(patience)
      }
      try await ended.get()
    }
  }

  @Test func `A target port that is already taken is an error that names the port`() async throws {
    try await TunnelFixture.run { fixture in
      let taken = try #require(fixture.targets[0].port)
      let configuration = AgentConfiguration(
        controlPort: 0, ports: [taken], secretDigest: SecretDigest(of: TunnelFixture.secret).hexadecimal,
        readyFile: nil)
      let error = await #expect(throws: AgentError.self) {
        try await Agent.start(configuration, memory: 64 << 20, log: AgentLog { _ in }, on: fixture.group.next()).get()
      }
      guard case .targetPort(taken, _) = error else {
        Issue.record("the error was \(String(describing: error))")
        return
      }
      #expect(error?.exitStatus.rawValue == 66)
    }
  }
}

/// A folder for the duration of `body`.
func withTemporaryFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  try await TemporaryFolder.with { try await body($0.path) }
}

func write(_ bytes: [UInt8], to path: String) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "open \(path)") }
  defer { close(descriptor) }
  guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
    throw IOError(errnoCode: errno, reason: "write \(path)")
  }
}
