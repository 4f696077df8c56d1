import Foundation
import Glibc
import Synchronization

/// How a process ended.
enum Ending: Sendable, Hashable, CustomStringConvertible {
  /// By exiting with this status.
  case exited(Int32)
  /// By this signal.
  case signalled(Int32)

  /// Reads a status of wait(2).
  init(waitStatus status: Int32) {
    let signal = status & 0x7f
    self = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
  }

  var description: String {
    switch self {
    case .exited(let status): "exited with \(status)"
    case .signalled(let signal): "died of signal \(signal)"
    }
  }
}

/// A process that a test started, with its output collected while it runs.
///
/// It leads a process group of its own, as a shell's job does; with a terminal, a session whose terminal is a new pty.
final class ChildProcess: Sendable {
  /// What stands behind its standard streams.
  enum Streams: Sendable {
    /// Two pipes for output, and for input one that the test writes to.
    case pipes
    /// A terminal for all three.
    case terminal
  }

  private struct State {
    var ending: Ending?
    var waiters: [Int: CheckedContinuation<Ending, any Error>] = [:]
    var nextWaiter = 0
  }

  /// `POSIX_SPAWN_SETSID`, which Swift's Glibc module does not show.
  private static let newSession: Int32 = 0x80
  /// Held from the making of a descriptor until it is marked close-on-exec: no other child may inherit it.
  private static let starting = NSLock()

  let id: pid_t
  /// Standard output, or all that a terminal shows.
  let output = Transcript()
  /// Standard error; stays empty with a terminal.
  let errors = Transcript()
  private let input: Mutex<Int32>
  private let state = Mutex(State())

  /// Starts a program that is found in this process's PATH.
  init(
    _ arguments: [String], environment: [String: String], directory: String? = nil, streams: Streams = .pipes
  ) throws {
    var attributes = posix_spawnattr_t()
    var actions = posix_spawn_file_actions_t()
    posix_spawnattr_init(&attributes)
    posix_spawn_file_actions_init(&actions)
    defer {
      posix_spawnattr_destroy(&attributes)
      posix_spawn_file_actions_destroy(&actions)
    }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    Self.starting.lock()
    defer { Self.starting.unlock() }

    var readers: [(Int32, Transcript)] = []
    var childEnds: [Int32] = []
    switch streams {
    case .pipes:
      let (inputRead, inputWrite) = try Self.pipe()
      let (outputRead, outputWrite) = try Self.pipe()
      let (errorRead, errorWrite) = try Self.pipe()
      input = Mutex(inputWrite)
      readers = [(outputRead, output), (errorRead, errors)]
      childEnds = [inputRead, outputWrite, errorWrite]
      flags |= Int32(POSIX_SPAWN_SETPGROUP)
    case .terminal:
      var master: Int32 = -1
      var slave: Int32 = -1
      var name = [CChar](repeating: 0, count: 128)
      guard openpty(&master, &slave, &name, nil, nil) == 0 else { throw Failure("openpty: \(errno)") }
      for descriptor in [master, slave] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      input = Mutex(master)
      readers = [(try Self.duplicate(master), output)]
      childEnds = [slave]
      flags |= Self.newSession
      // The first terminal that a session's leader opens becomes its controlling terminal.
      posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
      errors.end()
    }
    for (descriptor, end) in childEnds.enumerated() where streams == .pipes {
      posix_spawn_file_actions_adddup2(&actions, end, Int32(descriptor))
    }
    if streams == .terminal {
      posix_spawn_file_actions_adddup2(&actions, 0, 1)
      posix_spawn_file_actions_adddup2(&actions, 0, 2)
    }
    posix_spawnattr_setflags(&attributes, Int16(flags))

    let arguments = (directory.map { ["env", "--chdir=\($0)"] } ?? []) + arguments
    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var id: pid_t = 0
    let error = posix_spawnp(&id, arguments[0], &actions, &attributes, &argv, &envp)
    for end in childEnds { close(end) }
    guard error == 0 else { throw Failure("cannot start \(arguments[0]): \(String(cString: strerror(error)))") }
    self.id = id
    for (descriptor, transcript) in readers { Self.read(descriptor, into: transcript) }
    Thread.detachNewThread { [self] in reap() }
  }

  deinit { closeInput() }

  /// Sends a signal to this process alone.
  func send(_ signal: Int32) { kill(id, signal) }

  /// Closes its standard input.
  func closeInput() {
    input.withLock { descriptor in
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
    }
  }

  /// Writes to its standard input or terminal.
  func write(_ text: String) throws {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = input.withLock { input in rest.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) } }
      guard count > 0 || errno == EINTR else { throw Failure("write: \(String(cString: strerror(errno)))") }
      rest = rest.dropFirst(max(count, 0))
    }
  }

  /// How it ended, once it has.
  func ended() async throws -> Ending {
    let id = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let ending = state.withLock { state in
          if state.ending == nil { state.waiters[id] = continuation }
          return state.ending
        }
        if let ending { continuation.resume(returning: ending) } else if Task.isCancelled { cancel(id) }
      }
    } onCancel: {
      cancel(id)
    }
  }

  /// Kills it if it still runs.
  func end() {
    if state.withLock({ $0.ending == nil }) { kill(id, SIGKILL) }
  }

  private func cancel(_ id: Int) {
    state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(throwing: CancellationError())
  }

  private func reap() {
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0, errno == EINTR {}
    let ending = Ending(waitStatus: status)
    let waiters = state.withLock { state in
      state.ending = ending
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume(returning: ending) }
  }

  private static func read(_ descriptor: Int32, into transcript: Transcript) {
    Thread.detachNewThread {
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 { transcript.append(buffer[..<count]) } else if count == 0 || errno != EINTR { break }
      }
      close(descriptor)
      transcript.end()
    }
  }

  private static func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { throw Failure("pipe: \(errno)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func duplicate(_ descriptor: Int32) throws -> Int32 {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { throw Failure("dup: \(errno)") }
    return copy
  }
}

extension ChildProcess.Streams: Equatable {}
