import DevrunSystem
import Glibc
import Testing
import devrun_launch

@testable import DevrunLauncher

/// An interactive shell on a pseudo-terminal, with a person who types.
final class TerminalSession: Sendable {
  let shell: SpawnedProcess
  /// What the terminal shows.
  let screen: CollectedText
  private let person: Descriptor

  /// Starts an interactive bash.
  init(keeping fixture: LaunchFixture) throws {
    var ends: (person: Int32, programs: Int32) = (-1, -1)
    var path = [CChar](repeating: 0, count: 128)
    try system { openpty(&ends.person, &ends.programs, &path, nil, nil) }
    let person = Descriptor(ends.person)
    self.person = person
    // Neither of them may reach the programs but by the terminal's name.
    for end in [ends.person, ends.programs] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    shell = try SpawnedProcess(
      ["bash", "--norc", "--noprofile", "-i"],
      environment: ["PS1": "prompt$ ", "TERM": "dumb", "HISTFILE": ""],
      place: .terminal(String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)),
      keeping: fixture)
    screen = try CollectedText(from: Descriptor(try system { dup(person.number) }))
    _ = close(ends.programs)
  }

  /// Types text; control characters as themselves.
  func type(_ text: String) throws {
    let bytes = Array(text.utf8)
    try system { write(person.number, bytes, bytes.count) }
  }

  /// Types a line and waits for what the terminal then shows.
  func type(line: String, until text: String) async throws -> Bool {
    screen.clear()
    try type(line + "\n")
    return await screen.contains(text)
  }

  /// Types `fg` and waits for what the terminal then shows. What is typed while bash changes the terminal's settings can
  /// get lost, without devrun too; so it is typed again as long as nothing comes of it.
  func typeForeground(until text: String) async throws -> Bool {
    screen.clear()
    for _ in 0..<6 {
      try type("fg\n")
      if let found = await screen.found([text], within: .seconds(10)) { return found }
    }
    return await screen.contains(text)
  }

  /// Types Ctrl-Z and waits until the shell asks for the next line: what is typed before may be lost.
  func suspend(prompt: String = "prompt$ ") async throws -> Bool {
    screen.clear()
    try type("\u{1a}")
    guard await screen.contains("Stopped") else { return false }
    return await screen.contains(prompt)
  }

  /// Types a line, waits for what the terminal then shows, and until the shell asks for the next line.
  func type(command: String, until text: String) async throws -> Bool {
    guard try await type(line: command, until: text) else { return false }
    return await screen.contains("prompt$ ")
  }

  /// Changes the size of the terminal, as its window does.
  func resize(rows: UInt16, columns: UInt16) throws {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    try system { ioctl(person.number, UInt(TIOCSWINSZ), &size) }
  }

  /// Ends the session, with all that is in it.
  func end() {
    shell.signal(SIGHUP)
    shell.signal(SIGKILL)
  }
}

/// Does something in an interactive shell.
///
/// - Parameters:
///   - command: what is launched by the word `launch`, or in another shell by `$LAUNCH`.
///   - body: what is typed and expected.
func withShell(
  _ command: [String], in fixture: LaunchFixture? = nil, _ body: (TerminalSession) async throws -> Void
) async throws {
  let fixture = try fixture ?? LaunchFixture()
  let line = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(command))).joined(separator: " ")
  let session = try TerminalSession(keeping: fixture)
  defer { session.end() }
  #expect(await session.screen.contains("prompt$ "))
  #expect(
    try await session.type(
      command: "export LAUNCH='\(line)'; alias launch=\"$LAUNCH\"; echo al'i'ased", until: "aliased\r\n"))
  try await body(session)
}
