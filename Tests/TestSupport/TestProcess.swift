internal import CLinux
internal import DevrunCore
public import DevrunPlan
public import DevrunSystem
internal import Glibc
internal import Synchronization

/// A process that a test started, and what it writes.
///
/// It does not end with this object. Its standard input does, if nobody has closed it earlier.
public final class TestProcess: Sendable {
  /// Where a process stands to this process's own group and terminal.
  public enum Place: Sendable {
    /// A process group of its own, as a shell gives a job.
    case ownGroup
    /// A session of its own without a terminal.
    case ownSession
    /// A session of its own, on a new terminal for its three standard streams.
    case terminal
  }

  /// What the thread that waits for the process shares with those who send it signals.
  private final class Life: Sendable {
    let status = Latch<WaitStatus>()
    /// The number of a process may be another's once it is reaped.
    let isReaped = Mutex(false)
  }

  /// PATH as it is usual, and messages in English.
  public static let environment: EnvironmentVariables = [
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C",
  ]

  /// The process's id.
  public let id: Int32
  /// Its standard output, or all that its terminal shows.
  public let output: Transcript
  /// Its standard error. With a terminal nothing is written to it.
  public let errors: Transcript
  private let command: [String]
  private let input: Descriptor
  private let owner: (any Sendable)?
  private let life = Life()

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - command: the program's name or path, and its arguments. A name is searched for in this process's PATH.
  ///   - environment: all variables of the program.
  ///   - directory: its working directory; by default this process's.
  ///   - place: where it stands.
  ///   - owner: what must not be gone before this object, such as a folder.
  /// - Throws: ``TestFailure`` if it cannot be started.
  public init(
    _ command: [String], environment: EnvironmentVariables = TestProcess.environment, directory: String? = nil,
    place: Place = .ownGroup, keeping owner: (any Sendable)? = nil
  ) throws {
    // A write to a process that has ended is an error, not this process's death.
    _ = Self.ignoredPipeSignal
    self.command = command
    self.owner = owner
    let line = command.joined(separator: " ")
    let name = "`\(line.count > 200 ? line.prefix(200) + "..." : line)`"
    do throws(Errno) {
      let program = SpawnedProgram(command: command, environment: environment, directory: directory)
      if place == .terminal {
        let terminal = try PseudoTerminal()
        errors = Transcript("the standard error of \(name)")
        output = Transcript("the terminal of \(name)")
        errors.end()
        input = terminal.person
        id = try program.start(on: terminal)
        let screen = Descriptor(try system { fcntl(terminal.person.number, F_DUPFD_CLOEXEC, 3) })
        try output.collect { screen }
      } else {
        let (inputRead, inputWrite) = try Descriptor.pipe()
        let (outputRead, outputWrite) = try Descriptor.pipe()
        let (errorRead, errorWrite) = try Descriptor.pipe()
        errors = Transcript("the standard error of \(name)")
        output = Transcript("the standard output of \(name)", beside: errors)
        input = inputWrite
        id = try program.start(streams: [inputRead, outputWrite, errorWrite], inOwnSession: place == .ownSession)
        // Only the program may keep its outputs open.
        for end in [inputRead, outputWrite, errorWrite] { end.close() }
        try output.collect { outputRead }
        try errors.collect { errorRead }
      }
      try Self.reap(id, life)
    } catch {
      throw TestFailure("\(name) cannot be started: \(error)")
    }
  }

  private static let ignoredPipeSignal: Void = { Glibc.signal(SIGPIPE, SIG_IGN) }()

  private static func reap(_ id: pid_t, _ life: Life) throws(Errno) {
    try NativeThread.start(name: "test-wait") {
      var event = devrun_child_event()
      repeat {
        if devrun_await_child(id, &event) < 0 { return }
      } while event.change == DEVRUN_CHILD_STOPPED || event.change == DEVRUN_CHILD_CONTINUED
      life.isReaped.withLock {
        _ = devrun_reap(id)
        $0 = true
      }
      life.status.set(
        event.change == DEVRUN_CHILD_EXITED
          ? .exited(event.value) : .killed(event.value, coreDumped: event.core_dumped))
    }
  }
}

extension TestProcess {
  /// Sends the process a signal, if it has not ended.
  public func signal(_ number: Int32) {
    life.isReaped.withLock { isReaped in if !isReaped { _ = Glibc.kill(id, number) } }
  }

  /// Sends its process group a signal. The group may be there when the process has ended.
  public func signalGroup(_ number: Int32) { _ = Glibc.kill(-id, number) }

  /// Writes to its standard input, or types on its terminal.
  ///
  /// - Throws: the error of write(2).
  public func write(_ text: String) throws { try input.writeAll(text.utf8) }

  /// Ends its standard input. A terminal stays.
  public func closeInput() { input.close() }

  /// Changes the size of its terminal, as a window does.
  ///
  /// - Throws: the error of ioctl(2): it may have no terminal.
  public func resizeTerminal(rows: UInt16, columns: UInt16) throws {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    try system { ioctl(input.number, UInt(TIOCSWINSZ), &size) }
  }

  /// Waits for its end.
  ///
  /// - Returns: how it ended.
  /// - Throws: ``TestFailure`` with what it has written, if it does not end in time. It is killed then.
  @discardableResult
  public func status(
    within limit: Duration = patience, fileID: String = #fileID, line: Int = #line
  ) async throws -> WaitStatus {
    if let status = await life.status.wait(for: limit) { return status }
    kill()
    try Task.checkCancellation()
    throw TestFailure("process \(id) has not ended after \(limit) (\(fileID):\(line))\n\(output)")
  }

  /// Writes all of its input, and waits for its end and for that of all processes that can write to its outputs.
  ///
  /// - Throws: ``TestFailure`` with what it has written, if that takes too long. It is killed then.
  public func outcome(
    input text: String = "", within limit: Duration = patience, fileID: String = #fileID, line: Int = #line
  ) async throws -> Outcome {
    let end = ContinuousClock.now + limit
    if !text.isEmpty { try write(text) }
    closeInput()
    do {
      return Outcome(
        status: try await status(within: limit, fileID: fileID, line: line),
        output: try await output.whole(within: end - .now, fileID: fileID, line: line),
        errors: try await errors.whole(within: end - .now, fileID: fileID, line: line))
    } catch {
      kill()
      throw error
    }
  }

  /// Ends it by SIGTERM, for a test that has failed already. It is killed if that does not end it.
  public func stop(within limit: Duration = .seconds(30)) async {
    signal(SIGTERM)
    _ = try? await outcome(within: limit)
  }

  /// Kills it and its process group.
  private func kill() {
    signal(SIGKILL)
    signalGroup(SIGKILL)
  }

  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - expected: how the program must end; `nil`: in any way.
  /// - Throws: ``TestFailure`` with what it has written, if it ends in another way or not in time.
  @discardableResult
  public static func run(
    _ command: [String], environment: EnvironmentVariables = TestProcess.environment, input: String = "",
    expecting expected: WaitStatus? = .exited(0), within limit: Duration = patience, fileID: String = #fileID,
    line: Int = #line
  ) async throws -> Outcome {
    let process = try TestProcess(command, environment: environment)
    let outcome = try await process.outcome(input: input, within: limit, fileID: fileID, line: line)
    guard expected == nil || outcome.status == expected else {
      throw TestFailure("\(command.joined(separator: " ")) (\(fileID):\(line)): \(outcome)")
    }
    return outcome
  }
}

/// How a program ran from its start to its end.
public struct Outcome: Sendable, CustomStringConvertible {
  /// How it ended.
  public var status: WaitStatus
  /// All of its standard output, or all that its terminal showed.
  public var output: String
  /// All of its standard error.
  public var errors: String

  /// All of it, for failures.
  public var description: String { "\(status)\n--- standard output:\n\(output)\n--- standard error:\n\(errors)" }
}

extension EnvironmentVariables {
  /// These variables and others, whose values win.
  public func merging(_ others: EnvironmentVariables) -> EnvironmentVariables {
    var all = self
    for variable in others { all.set(variable) }
    return all
  }
}
