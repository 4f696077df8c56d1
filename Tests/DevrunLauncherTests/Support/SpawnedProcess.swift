import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization
import Testing

@testable import DevrunLauncher

/// How long a test waits for what must come: a bound on hangs, on a machine that is busy with other tests.
let patience = Duration.seconds(120)

/// A process that a test started, and what it writes.
final class SpawnedProcess: Sendable {
  /// Where the process stands to the test's own process group and terminal.
  enum Place {
    /// A process group of its own, as a shell gives a job.
    case ownGroup
    /// A session of its own without a terminal.
    case ownSession
    /// A session of its own whose terminal this is: the path of a pseudo-terminal.
    case terminal(String)
  }

  let processID: pid_t
  let output: CollectedText
  let errors: CollectedText
  private let input: Descriptor
  private let fixture: LaunchFixture?
  private let end = Latch<WaitStatus>()

  /// Starts a program, which is searched for in PATH.
  ///
  /// - Parameter fixture: what must not be gone before this.
  init(
    _ command: [String], environment: [String: String] = [:], place: Place = .ownGroup, keeping fixture: LaunchFixture?
  ) throws {
    self.fixture = fixture
    let (inputRead, inputWrite) = try Descriptor.pipe()
    let (outputRead, outputWrite) = try Descriptor.pipe()
    let (errorRead, errorWrite) = try Descriptor.pipe()
    processID = try Self.spawn(
      command, environment: environment, place: place, streams: [inputRead, outputWrite, errorWrite])
    input = inputWrite
    outputWrite.close()
    errorWrite.close()
    output = try CollectedText(from: outputRead)
    errors = try CollectedText(from: errorRead)
    try NativeThread.start(name: "test-wait") { [processID, end] in
      var event = devrun_child_event()
      repeat {
        if devrun_await_child(processID, &event) < 0 { return }
      } while event.change == DEVRUN_CHILD_STOPPED || event.change == DEVRUN_CHILD_CONTINUED
      _ = devrun_reap(processID)
      end.set(
        event.change == DEVRUN_CHILD_EXITED
          ? .exited(event.value) : .killed(event.value, coreDumped: event.core_dumped))
    }
  }

  /// How it ended. Waits for that, but not for ever: one that does not end fails the test and is killed.
  func status(within limit: Duration = patience) async -> WaitStatus {
    if let status = await end.wait(for: limit) { return status }
    Issue.record("process \(processID) has not ended within \(limit): \(output.text)\n\(errors.text)")
    signalGroup(SIGKILL)
    signal(SIGKILL)
    return await end.uncancelledValue()
  }

  /// Sends it a signal.
  func signal(_ number: Int32) { _ = kill(processID, number) }

  /// Sends its process group a signal.
  func signalGroup(_ number: Int32) { _ = kill(-processID, number) }

  /// Writes to its standard input.
  func write(_ text: String) throws {
    let bytes = Array(text.utf8)
    try system { Glibc.write(input.number, bytes, bytes.count) }
  }

  /// Ends its standard input.
  func closeInput() { input.close() }

  private static func spawn(
    _ command: [String], environment: [String: String], place: Place, streams: [Descriptor]
  ) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    var actions = posix_spawn_file_actions_t()
    posix_spawnattr_init(&attributes)
    posix_spawn_file_actions_init(&actions)
    defer {
      posix_spawnattr_destroy(&attributes)
      posix_spawn_file_actions_destroy(&actions)
    }
    var mask = SignalSet().raw
    // Those above are glibc's own, which it would ignore instead.
    var defaults = SignalSet((1...31 as ClosedRange<Int32>).filter { ![SIGKILL, SIGSTOP].contains($0) }).raw
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    switch place {
    case .ownGroup: flags |= POSIX_SPAWN_SETPGROUP
    case .ownSession, .terminal: flags |= 0x80  // POSIX_SPAWN_SETSID, a macro behind __USE_GNU
    }
    posix_spawnattr_setflags(&attributes, Int16(flags))
    if case .terminal(let path) = place {
      // The first terminal that a session's leader opens becomes the session's.
      for number in 0...2 as ClosedRange<Int32> {
        posix_spawn_file_actions_addopen(&actions, number, path, O_RDWR, 0)
      }
    } else {
      for (number, stream) in streams.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, stream.number, Int32(number))
      }
    }
    // Foundation opens descriptors without close-on-exec at any moment in other tests. The command must not inherit them.
    try closeDescriptors(from: 3, &actions)
    let arguments = CStringArray(command.map { RawString($0) })
    var inherited: [String: String] = ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C"]
    inherited.merge(environment) { $1 }
    let variables = CStringArray(inherited.map { RawString("\($0.key)=\($0.value)") })
    var process: pid_t = 0
    let code = posix_spawnp(&process, command[0], &actions, &attributes, arguments.pointers, variables.pointers)
    if code != 0 { throw Errno(rawValue: code) }
    return process
  }

  /// Adds the closing of all descriptors from a number on (posix_spawn_file_actions_addclosefrom_np(3)).
  private static func closeDescriptors(
    from number: Int32, _ actions: inout posix_spawn_file_actions_t
  ) throws(Errno) {
    // Not in Swift's Glibc module.
    typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { throw .noSuchCall }
    let code = unsafeBitCast(symbol, to: AddCloseFrom.self)(&actions, number)
    if code != 0 { throw Errno(rawValue: code) }
  }
}

/// What is read from a descriptor until its end, by a thread.
final class CollectedText: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var isEnded = false
    var waiters: [Int: (texts: [String], continuation: CheckedContinuation<Bool?, Never>)] = [:]
    var nextWaiter = 0

    /// Whether the texts were read, one after the other. `nil`: not yet.
    func finds(_ texts: [String]) -> Bool? {
      var rest = String(decoding: bytes, as: UTF8.self)[...]
      for text in texts {
        guard let found = rest.firstRange(of: text) else { return isEnded ? false : nil }
        rest = rest[found.upperBound...]
      }
      return true
    }
  }

  private let state = Mutex(State())

  convenience init(from descriptor: Descriptor) throws {
    try self.init { descriptor }
  }

  /// What others write to a FIFO, from the first that opens it to the last that closes it.
  convenience init(fifo path: String) throws {
    if mkfifo(path, 0o666) != 0 { throw Errno(rawValue: errno) }
    try self.init { try? Descriptor.open(RawString(path), O_RDONLY) }
  }

  private init(opening open: @escaping @Sendable () -> Descriptor?) throws {
    try NativeThread.start(name: "test-read") { [self] in
      let descriptor = open() ?? Descriptor(-1)
      var chunk = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = read(descriptor.number, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        // A terminal without its other side fails to be read.
        state.withLock { state in
          if count > 0 { state.bytes += chunk[..<count] } else { state.isEnded = true }
          for (number, waiter) in state.waiters {
            guard let found = state.finds(waiter.texts) else { continue }
            state.waiters[number] = nil
            waiter.continuation.resume(returning: found)
          }
        }
        if count <= 0 { return }
      }
    }
  }

  /// What was read so far.
  var text: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }

  /// Waits until the text was read. `false`: the end came first, or it took too long, which is recorded.
  func contains(_ text: String, within limit: Duration = patience) async -> Bool {
    await contains([text], within: limit)
  }

  /// Waits until the texts were read, one after the other, as `contains(_:)` does.
  func contains(_ texts: [String], within limit: Duration = patience) async -> Bool {
    if let found = await found(texts, within: limit) { return found }
    Issue.record("not within \(limit): \(texts) in: \(text)")
    return false
  }

  /// Waits until the texts were read. `nil`: it took too long.
  func found(_ texts: [String], within limit: Duration) async -> Bool? {
    let number = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    let deadline = Task {
      try await Task.sleep(for: limit)
      state.withLock { $0.waiters.removeValue(forKey: number) }?.continuation.resume(returning: nil)
    }
    defer { deadline.cancel() }
    return await withCheckedContinuation { continuation in
      let found = state.withLock { state in
        let found = state.finds(texts)
        if found == nil { state.waiters[number] = (texts, continuation) }
        return found
      }
      if let found { continuation.resume(returning: found) }
    }
  }

  /// Waits for the end, and returns all that was read.
  func whole() async -> String {
    _ = await contains("\u{0}never")
    return text
  }

  /// Forgets what was read so far.
  func clear() { state.withLock { $0.bytes = [] } }
}
