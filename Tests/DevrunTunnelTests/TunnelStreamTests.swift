import DevrunAgent
import DevrunSystem
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import DevrunTunnel

@Suite(.timeLimit(.minutes(2))) struct TunnelStreamTests {
  @Test func `Bytes and half-closes travel both ways between client and service`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel { tunnel in
          let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
          try await socket.write("hello")
          #expect(try await socket.read(exactly: 5) == Array("hello".utf8))
          try await socket.write(" world")
          try await socket.closeOutput()
          #expect(try await socket.readAll() == Array(" world".utf8))
        }
      }
    }
  }

  @Test func `A host name is resolved by the agent`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel { tunnel in
          let socket = try await TestSocket(tunnel.dial(host: "localhost", port: port))
          try await socket.closeOutput()
          #expect(try await socket.readAll() == [])
        }
      }
    }
  }

  @Test func `A server that sends first is heard before the client sends anything`() async throws {
    let greeting: @Sendable (TestSocket) async throws -> Void = { socket in
      try await socket.write("220 ready\r\n")
      #expect(try await socket.readAll() == Array("QUIT\r\n".utf8))
      try await socket.write("221 bye\r\n")
      try await socket.closeOutput()
    }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: greeting) { port in
        try await fixture.withTunnel { tunnel in
          let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
          #expect(try await socket.read(exactly: 11) == Array("220 ready\r\n".utf8))
          try await socket.write("QUIT\r\n")
          try await socket.closeOutput()
          #expect(try await socket.readAll() == Array("221 bye\r\n".utf8))
        }
      }
    }
  }

  @Test func `Everything is received from a server that sends and closes at once`() async throws {
    let greeting: @Sendable (TestSocket) async throws -> Void = { socket in
      try await socket.write([UInt8](repeating: 7, count: 100_000))
      try await socket.closeOutput()
      #expect(try await socket.readAll() == [])
    }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: greeting) { port in
        try await fixture.withTunnel { tunnel in
          for _ in 0..<20 {
            let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
            #expect(try await socket.readAll() == [UInt8](repeating: 7, count: 100_000))
            try await socket.closeOutput()
          }
        }
      }
    }
  }

  @Test func `Two hundred connections at once through a tunnel do not disturb each other`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel { tunnel in
          try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
              group.addTask {
                let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
                let sent = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* (number + 1)) }
                async let sending: Void = socket.write(sent)
                #expect(try await socket.read(exactly: sent.count) == sent)
                try await sending
                try await socket.closeOutput()
                #expect(try await socket.read() == nil)
              }
            }
            try await group.waitForAll()
          }
        }
      }
    }
  }

  @Test func `Many megabytes arrive whole in both directions of a tunnel`() async throws {
    let total = 8 << 20
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel { tunnel in
          let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
          async let received = checksum(of: socket)
          var sent = Checksum()
          var seed: UInt64 = 1
          for _ in 0..<(total / (64 << 10)) {
            let piece = randomBytes(64 << 10, &seed)
            sent.add(piece)
            try await socket.write(piece)
          }
          try await socket.closeOutput()
          #expect(try await received == sent)
          #expect(sent.count == total)
        }
      }
    }
  }

  @Test func `A refused dial is reported as such and does not disturb other connections`() async throws {
    try await TunnelFixture.run { fixture in
      let unused = try freePort()
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel { tunnel in
          let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
          for _ in 0..<500 {
            await #expect(throws: DialError.failed(.connect(Errno(rawValue: ECONNREFUSED)))) {
              try await tunnel.dial(host: "127.0.0.1", port: unused)
            }
          }
          try await socket.write("still here")
          #expect(try await socket.read(exactly: 10) == Array("still here".utf8))
        }
      }
    }
  }

  @Test func `A dial to an unknown host name fails with EHOSTUNREACH`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withTunnel { tunnel in
        // Either is right, depending on whether this machine has a name server (RFC 6761 reserves the name).
        let error = await #expect(throws: DialError.self) {
          try await tunnel.dial(host: "no-such-name.invalid", port: 80)
        }
        #expect(error == .failed(.nameNotFound) || error == .failed(.nameUnavailable))
        #expect(error?.errno == .hostUnreachable)
      }
    }
  }

  @Test func `A client receives what a service sends before its reset, and then the reset`() async throws {
    let breaking: @Sendable (TestSocket) async throws -> Void = { socket in
      _ = try await socket.read(exactly: 1)
      try await socket.write("partial")
      _ = try await socket.read(exactly: 1)
      socket.reset()
    }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: breaking) { port in
        try await fixture.withTunnel { tunnel in
          let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
          try await socket.write("1")
          #expect(try await socket.read(exactly: 7) == Array("partial".utf8))
          try await socket.write("2")
          #expect(await socket.isReset())
        }
      }
    }
  }

  @Test func `A reset by the client resets the service's connection`() async throws {
    let (ends, report) = AsyncStream.makeStream(of: Bool.self)
    let listening: @Sendable (TestSocket) async throws -> Void = { socket in report.yield(await socket.isReset()) }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: listening) { port in
        try await fixture.withTunnel { tunnel in
          let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
          try await socket.write("some bytes")
          socket.reset()
          #expect(await ends.first { _ in true } == true)
        }
      }
    }
  }
}

/// Bytes that look random and are the same each time.
func randomBytes(_ count: Int, _ seed: inout UInt64) -> [UInt8] {
  (0..<count).map { _ in
    seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(truncatingIfNeeded: seed >> 56)
  }
}

/// How many bytes came, and a sum that depends on their order (FNV-1a).
struct Checksum: Sendable, Equatable {
  var count = 0
  private var sum: UInt64 = 14_695_981_039_346_656_037

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      sum = (sum ^ UInt64(byte)) &* 1_099_511_628_211
      count += 1
    }
  }
}

/// The checksum of all that a stream gives.
@Sendable func checksum(of socket: TestSocket) async throws -> Checksum {
  var sum = Checksum()
  while let bytes = try await socket.read() { sum.add(bytes) }
  return sum
}
