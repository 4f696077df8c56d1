internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The two sides of a new terminal (pty(7)).
struct PseudoTerminal {
  /// The side of the person, whose closing hangs up.
  let person: Descriptor
  /// The path of the programs' side.
  let path: RawString
  /// Keeps the programs' side open until a program has it.
  private let programs: Descriptor

  init() throws(Errno) {
    var ends: (person: Int32, programs: Int32) = (-1, -1)
    var path = [CChar](repeating: 0, count: 128)
    try system { openpty(&ends.person, &ends.programs, &path, nil, nil) }
    for end in [ends.person, ends.programs] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (person, programs) = (Descriptor(ends.person), Descriptor(ends.programs))
    self.path = RawString(cString: path)
  }
}

/// A program to be started by posix_spawn(3), with no signal blocked or ignored and no descriptor but its streams.
struct SpawnedProgram {
  /// POSIX_SPAWN_SETSID, a macro that Swift does not see.
  private static let newSession: Int32 = 0x80

  var command: [String]
  var environment: EnvironmentVariables
  var directory: String?

  /// Starts it with the three standard streams.
  func start(streams: [Descriptor], inOwnSession: Bool) throws(Errno) -> pid_t {
    try start(inOwnSession ? Self.newSession : Int32(POSIX_SPAWN_SETPGROUP)) { actions in
      for (number, stream) in streams.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, stream.number, Int32(number))
      }
    }
  }

  /// Starts it on a terminal.
  func start(on terminal: PseudoTerminal) throws(Errno) -> pid_t {
    try start(Self.newSession) { actions in
      // The first terminal that a session's leader opens becomes the session's.
      for number in 0...2 as ClosedRange<Int32> {
        terminal.path.withCString { path in
          _ = posix_spawn_file_actions_addopen(&actions, number, path, O_RDWR, 0)
        }
      }
    }
  }

  private func start(
    _ place: Int32, _ streams: (inout posix_spawn_file_actions_t) -> Void
  ) throws(Errno) -> pid_t {
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
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | place))
    streams(&actions)
    if let directory { try add("posix_spawn_file_actions_addchdir_np", to: &actions, directory) }
    // Foundation opens descriptors without close-on-exec in other tests, at any moment.
    try add("posix_spawn_file_actions_addclosefrom_np", to: &actions, 3)
    let arguments = CStringArray(command.map { RawString($0) })
    let variables = CStringArray(environment.entries)
    var process: pid_t = 0
    let code = posix_spawnp(&process, command[0], &actions, &attributes, arguments.pointers, variables.pointers)
    if code != 0 { throw Errno(rawValue: code) }
    return process
  }

  /// Adds an action of a kind that Swift's Glibc module does not have.
  private func add(_ name: String, to actions: inout posix_spawn_file_actions_t, _ number: Int32) throws(Errno) {
    typealias Function = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    guard let symbol = dlsym(nil, name) else { throw .noSuchCall }
    let code = unsafeBitCast(symbol, to: Function.self)(&actions, number)
    if code != 0 { throw Errno(rawValue: code) }
  }

  /// Adds an action of a kind that Swift's Glibc module does not have.
  private func add(_ name: String, to actions: inout posix_spawn_file_actions_t, _ path: String) throws(Errno) {
    typealias Function =
      @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>) -> Int32
    guard let symbol = dlsym(nil, name) else { throw .noSuchCall }
    let code = RawString(path).withCString { unsafeBitCast(symbol, to: Function.self)(&actions, $0) }
    if code != 0 { throw Errno(rawValue: code) }
  }
}
