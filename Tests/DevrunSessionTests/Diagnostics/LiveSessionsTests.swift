import DevrunCore
import DevrunSystem
import DevrunView
import Foundation
import Glibc
import NIOPosix
import TestSupport
import Testing

@testable import DevrunSession

/// Each test has its own place for sessions' folders; those of sessions that really run here are left out.
@Suite("Live sessions", .timeLimit(.minutes(1)))
struct LiveSessionsTests {
  private let scratch: TemporaryFolder

  init() throws { scratch = try TemporaryFolder() }

  private var environment: EnvironmentVariables { ["XDG_RUNTIME_DIR": RawString(scratch.path)] }

  private func ask(within patience: Duration = .seconds(30)) async throws -> [LiveSessions.Answer] {
    try await LiveSessions(environment: environment, patience: patience).ask().filter { answer in
      switch answer {
      case .state(let state): state.folder.hasPrefix(scratch.path) || state == .example
      case .silent(_, let folder, _): folder.hasPrefix(scratch.path)
      }
    }
  }

  private func socket(_ directory: SessionDirectory) -> String { "\(directory.path)/\(DiagnosisServer.socketName)" }

  @Test func `A live session answers all who ask, and nobody after its end`() async throws {
    let directory = try SessionDirectory(session: "one", environment: environment)
    let state = SessionSnapshot.example
    let group = MultiThreadedEventLoopGroup.singleton
    let server = try await DiagnosisServer(at: socket(directory), group: group) { try state.json() }
    #expect(try await ask() == [.state(state)])
    #expect(try await ask() == [.state(state)])
    #expect(try scratch.mode(of: "devrun-session-one") == 0o700, "nobody else can enter")
    try await server.close()
    try directory.remove()
    #expect(try await ask() == [])
  }

  @Test func `Live sessions are listed in the order of their beginning`() async throws {
    var servers: [DiagnosisServer] = []
    var directories: [SessionDirectory] = []
    for (name, age) in [("a", 1.0), ("b", 3.0), ("c", 2.0)] {
      let directory = try SessionDirectory(session: name, environment: environment)
      var state = SessionSnapshot.example
      state.session = name
      state.folder = directory.path
      state.since -= age
      let bytes = try state.json()
      servers.append(
        try await DiagnosisServer(at: socket(directory), group: MultiThreadedEventLoopGroup.singleton) { bytes })
      directories.append(directory)
    }
    let names = try await ask().map { if case .state(let state) = $0 { state.session } else { "?" } }
    #expect(names == ["b", "c", "a"])
    for server in servers { try await server.close() }
    for directory in directories { try directory.remove() }
  }

  @Test func `A session that does not answer in time is listed as silent`() async throws {
    let directory = try SessionDirectory(session: "stopped", environment: environment)
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    let server = try await DiagnosisServer(at: socket(directory), group: MultiThreadedEventLoopGroup.singleton) {
      for await _ in stream {}
      return []
    }
    let answers = try await ask(within: .milliseconds(50))
    guard case .silent("stopped", let folder, let why)? = answers.first, answers.count == 1 else {
      Issue.record("\(answers)")
      return
    }
    #expect(folder == directory.path)
    #expect(why.contains("does not answer"))
    continuation.finish()
    try await server.close()
    try directory.remove()
  }

  @Test func `A session with an unknown version or a malformed answer is listed as silent`() async throws {
    for (answer, words) in [
      (#"{"version": 99}"#, "version 99"), (#"{"version": 1}"#, "not understood"), ("", "not understood"),
    ] {
      let directory = try SessionDirectory(session: "strange", environment: environment)
      let server = try await DiagnosisServer(at: socket(directory), group: MultiThreadedEventLoopGroup.singleton) {
        Array(answer.utf8)
      }
      let answers = try await ask()
      guard case .silent(_, _, let why)? = answers.first else {
        Issue.record("\(answers)")
        return
      }
      #expect(why.contains(words))
      try await server.close()
      try directory.remove()
    }
  }

  @Test func `A killed session is not listed, and its folder stays as it is`() async throws {
    try scratch.makeFolder("devrun-session-dead", mode: 0o700)
    let path = "\(scratch.path)/devrun-session-dead/\(DiagnosisServer.socketName)"
    let listener = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    close(listener)
    try scratch.makeFolder("devrun-session-bare", mode: 0o700)
    #expect(try await ask() == [])
    #expect(try scratch.names() == ["devrun-session-bare", "devrun-session-dead"])
  }

  @Test func `A session that has no socket yet is listed as silent`() async throws {
    let directory = try SessionDirectory(session: "young", environment: environment)
    let answers = try await ask()
    guard case .silent("young", _, let why)? = answers.first else {
      Issue.record("\(answers)")
      return
    }
    #expect(why.contains("cannot be asked"))
    try directory.remove()
  }

  @Test func `Links and folders that others may enter are not taken for session folders`() throws {
    try scratch.makeFolder("devrun-session-open", mode: 0o755)
    try scratch.makeFolder("elsewhere", mode: 0o700)
    symlink("\(scratch.path)/elsewhere", "\(scratch.path)/devrun-session-link")
    try scratch.makeFolder("devrun-session-own", mode: 0o700)
    #expect(
      SessionDirectory.folders(environment).filter { $0.hasPrefix(scratch.path) }
        == ["\(scratch.path)/devrun-session-own"])
  }
}
