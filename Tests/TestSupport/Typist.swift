internal import DevrunCore
internal import DevrunSystem
internal import Glibc
internal import Synchronization

/// A person at the terminal of a process, who types, and reads on from where the last awaited text ended.
///
/// Whatever the terminal showed before the last line was typed does not count any more.
public final class Typist: Sendable {
  /// The process whose terminal it is.
  public let process: TestProcess
  private let prompt: String
  private let position = Mutex((typed: 0, read: 0))

  /// A person at the terminal of the process, which was started on one.
  ///
  /// - Parameter prompt: what a shell shows there when it asks for the next line.
  public init(_ process: TestProcess, prompt: String = "prompt$ ") {
    self.process = process
    self.prompt = prompt
  }

  /// An interactive bash on a new terminal, and a person there.
  ///
  /// - Parameter owner: what must not be gone before the shell, such as a folder.
  /// - Throws: ``TestFailure`` if bash cannot be started.
  public convenience init(inShellKeeping owner: (any Sendable)? = nil) throws {
    self.init(
      try TestProcess(
        ["bash", "--norc", "--noprofile", "-i"],
        environment: TestProcess.environment.merging(["PS1": "prompt$ ", "TERM": "dumb", "HISTFILE": ""]),
        place: .terminal, keeping: owner))
  }

  /// What the terminal has shown since the last line was typed.
  public var screen: String {
    String(decoding: process.output.bytes.dropFirst(position.withLock { $0.typed }), as: UTF8.self)
  }

  /// Waits until the terminal shows the text, after what was awaited before.
  ///
  /// - Throws: ``TestFailure`` with what it shows, if that takes too long.
  public func wait(
    for text: String, within limit: Duration = patience, fileID: String = #fileID, line: Int = #line
  ) async throws {
    let start = position.withLock { $0.read }
    let end = try await process.output.wait(for: text, after: start, within: limit, fileID: fileID, line: line)
    position.withLock { $0.read = max($0.read, end) }
  }

  /// Waits until the shell asks for the next line. What is typed before may be lost.
  public func waitForPrompt(fileID: String = #fileID, line: Int = #line) async throws {
    try await wait(for: prompt, fileID: fileID, line: line)
  }

  /// Types text; control characters as themselves.
  ///
  /// - Throws: the error of write(2).
  public func type(_ text: String) throws { try process.write(text) }

  /// Types a control character: `C` is Ctrl-C, `\` is Ctrl-Backslash.
  ///
  /// - Throws: the error of write(2).
  public func press(control letter: Character) throws {
    guard let code = letter.asciiValue else { throw TestFailure("there is no Ctrl-\(letter)") }
    try process.write(String(UnicodeScalar(code & 0x1f)))
  }

  /// Types a line and waits for what the terminal then shows.
  ///
  /// - Parameter again: whether the line is typed again as long as nothing comes of it. Shells and debuggers change the
  ///   terminal's settings and hand the terminal over at moments that nobody sees; what is typed then may be lost, or
  ///   go to another program. It is so without devrun, too.
  /// - Throws: ``TestFailure`` with what the terminal shows, if the text does not come in time.
  public func type(
    line text: String, until seen: String, again: Bool = false, fileID: String = #fileID, line: Int = #line
  ) async throws {
    let shown = startAnew()
    try process.write(text + "\n")
    for _ in 0..<(again ? 4 : 0) {
      if case .found(let end) = try await process.output.find([seen], after: shown, within: .seconds(15)) {
        return position.withLock { $0.read = end }
      }
      try process.write(text + "\n")
    }
    try await wait(for: seen, within: again ? patience / 2 : patience, fileID: fileID, line: line)
  }

  /// Types a line, waits for what the terminal then shows, and until the shell asks for the next line.
  public func type(
    command: String, until seen: String, again: Bool = false, fileID: String = #fileID, line: Int = #line
  ) async throws {
    try await type(line: command, until: seen, again: again, fileID: fileID, line: line)
    try await waitForPrompt(fileID: fileID, line: line)
  }

  /// Types Ctrl-Z, waits until the shell reports that the job is stopped, and until it asks for the next line.
  ///
  /// - Parameter prompt: what the shell shows when it asks, if it is another shell than the first.
  public func suspend(prompt other: String? = nil, fileID: String = #fileID, line: Int = #line) async throws {
    startAnew()
    try press(control: "Z")
    try await wait(for: "Stopped", fileID: fileID, line: line)
    try await wait(for: other ?? prompt, fileID: fileID, line: line)
  }

  /// Takes no account any more of what the terminal shows now.
  @discardableResult
  private func startAnew() -> Int {
    let shown = process.output.bytes.count
    position.withLock { $0 = (shown, shown) }
    return shown
  }

  /// Ends the session with all that is in it, by the death of its leader.
  public func end() {
    process.signal(SIGHUP)
    process.signal(SIGKILL)
  }
}
