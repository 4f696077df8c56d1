import CLinux
import DevrunCore
import DevrunSystem
import Dispatch
import Glibc
import Minicluster

// The processes of a cluster (Place): this one, the outer process, stays in the machine's namespaces. It starts the node,
// runs the user's command, passes signals on, and removes the folder at the end. It has one thread and waits for events in
// one place.

/// The outer process of a cluster.
struct ClusterProcess {
  /// How long the node has for an end in order, in milliseconds.
  private static let patience: Int32 = 5_000

  /// The signals that the outer process takes.
  private static let signals = SignalSet([SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD])

  private let folder: ClusterFolder
  /// The node's first process.
  private let node: Int32
  private let events: Descriptor
  /// The number of a process may be another's once it is reaped.
  private var hasNodeEnded = false

  /// Starts a cluster. Returns in the outer process only.
  ///
  /// - Parameters:
  ///   - ready: the write end of a pipe. The node writes a line to it once the cluster is ready, or the reason why there is
  ///     none.
  /// - Throws: ``PlaceError`` if this machine allows no cluster, `Errno` otherwise.
  static func start(in folder: ClusterFolder, manifests: [String], ready: Descriptor) throws -> ClusterProcess {
    try folder.own()
    let log = try folder.openLog()
    let (listener, port) = try listen()
    try signals.block()
    let events = Descriptor(
      try withUnsafePointer(to: signals.raw) { (raw) throws(Errno) in
        try shim { devrun_signal_descriptor(raw) }
      })
    switch try Place.enter() {
    case .outer(let node): return ClusterProcess(folder: folder, node: node, events: events)
    case .node:
      let cluster = Cluster(folder: folder.path, listener: listener, port: port, manifests: manifests) { line in
        // A log that cannot be written is no reason to end the cluster.
        try? log.writeAll("\(line)\n".utf8)
      }
      serve(cluster, ready)
    }
  }

  /// A socket that listens on a free port of the machine's loopback address. It belongs to the machine's network wherever
  /// it is used.
  private static func listen() throws(Errno) -> (socket: Int32, port: Int) {
    let socket = try system {
      Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    try withUnsafeMutablePointer(to: &address) { (pointer) throws(Errno) in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (pointer) throws(Errno) in
        try system { bind(socket, pointer, length) }
        try system { Glibc.listen(socket, 256) }
        try system { getsockname(socket, pointer, &length) }
      }
    }
    return (socket, Int(UInt16(bigEndian: address.sin_port)))
  }

  // MARK: The node

  /// What the node's process does.
  private static func serve(_ cluster: Cluster, _ ready: Descriptor) -> Never {
    signal(SIGPIPE, SIG_IGN)
    let run = Task {
      do {
        try await cluster.run {
          try ready.writeAll("ready\n".utf8)
          ready.close()
        }
        exit(0)
      } catch is CancellationError {
        exit(0)
      } catch {
        // Whoever waits for the cluster may have gone.
        try? ready.writeAll("\(error)\n".utf8)
        try? Descriptor.writeAll("\(error)\n".utf8, to: STDERR_FILENO)
        exit(1)
      }
    }
    do {
      try NativeThread.start(name: "signals") {
        // It fails for a set without signals only.
        _ = try? SignalSet([SIGTERM, SIGINT, SIGHUP]).wait()
        run.cancel()
      }
    } catch {
      try? Descriptor.writeAll("\(error)\n".utf8, to: STDERR_FILENO)
      exit(1)
    }
    dispatchMain()
  }

  // MARK: The outer process

  /// What the outer process waits for.
  private enum Event {
    case signal(devrun_signal)
    case readable
    case timeout
  }

  /// Waits for a signal, or for something to read.
  private func next(reading file: Descriptor? = nil, within milliseconds: Int32 = -1) throws(Errno) -> Event {
    var polled = [
      pollfd(fd: events.number, events: Int16(POLLIN), revents: 0),
      pollfd(fd: file?.number ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    let count = try system { poll(&polled, 2, milliseconds) }
    if count == 0 { return .timeout }
    var signal = devrun_signal()
    let isSignal = try shim { devrun_read_signal(events.number, &signal) } > 0
    return isSignal ? .signal(signal) : .readable
  }

  private init(folder: ClusterFolder, node: Int32, events: Descriptor) {
    self.folder = folder
    self.node = node
    self.events = events
  }

  /// The children that have ended.
  private mutating func endedChildren() -> [(process: Int32, status: Int32)] {
    var ended: [(Int32, Int32)] = []
    var status: Int32 = 0
    while true {
      let process = waitpid(-1, &status, WNOHANG)
      guard process > 0 else { return ended }
      ended.append((process, Self.exitStatus(status)))
      if process == node { hasNodeEnded = true }
    }
  }

  /// The exit status that a shell shows.
  private static func exitStatus(_ status: Int32) -> Int32 {
    let signal = status & 0x7f
    return signal == 0 ? status >> 8 & 0xff : 128 + signal
  }

  /// Keeps the cluster until a signal ends it, or it ends.
  ///
  /// - Returns: the exit status.
  mutating func keep() throws -> Int32 {
    while case .signal(let signal) = try next() {
      guard signal.number == SIGCHLD else { return try stop(with: 0) }
      if let node = endedChildren().first(where: { $0.process == node }) {
        try folder.remove()
        return node.status
      }
    }
    return 0
  }

  /// Runs a command once the cluster is ready, and ends the cluster with it.
  ///
  /// - Parameter ready: the read end of the pipe that the node writes to.
  /// - Returns: the command's exit status.
  mutating func run(_ command: [String], whenReady ready: Descriptor) throws -> Int32 {
    guard try isReady(ready) else {
      return try stop(with: 1)
    }
    let child: Int32
    do {
      child = try spawn(command)
    } catch {
      let status: Int32 = error == .noEntry ? 127 : 126
      try Descriptor.writeAll("devrun-minicluster: \(command[0]): \(error)\n".utf8, to: STDERR_FILENO)
      return try stop(with: status)
    }
    while true {
      guard case .signal(let signal) = try next() else { continue }
      guard signal.number == SIGCHLD else {
        // The terminal sends its signals to the whole group.
        if signal.code <= 0 { kill(child, signal.number) }
        continue
      }
      let ended = endedChildren()
      if let end = ended.first(where: { $0.process == child }) { return try stop(with: end.status) }
      if !ended.isEmpty, hasNodeEnded {
        try Descriptor.writeAll("devrun-minicluster: the cluster has ended\n".utf8, to: STDERR_FILENO)
        kill(child, SIGTERM)
      }
    }
  }

  /// Waits until the cluster is ready. `false`: it has ended, or is to end.
  private mutating func isReady(_ ready: Descriptor) throws -> Bool {
    while true {
      switch try next(reading: ready) {
      case .readable: return try ready.read(upTo: 6) == Array("ready\n".utf8)
      case .signal(let signal) where signal.number != SIGCHLD: return false
      case .signal, .timeout: break
      }
    }
  }

  private func spawn(_ command: [String]) throws(Errno) -> Int32 {
    var environment = EnvironmentVariables.current
    environment.set("KUBECONFIG", to: RawString(folder.kubeconfig), from: .option)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var none = SignalSet()
    posix_spawnattr_setsigmask(&attributes, &none.raw)
    let (words, variables) = (CStringArray(command.map { RawString($0) }), CStringArray(environment.entries))
    var child: pid_t = 0
    let code = withExtendedLifetime((words, variables)) {
      posix_spawnp(&child, words.pointers[0]!, nil, &attributes, words.pointers, variables.pointers)
    }
    if code != 0 { throw Errno(rawValue: code) }
    return child
  }

  /// Ends the cluster in order, or by force after a while, and removes the folder.
  private mutating func stop(with status: Int32) throws -> Int32 {
    if !hasNodeEnded { kill(node, SIGTERM) }
    try waitForNode(within: Self.patience)
    if !hasNodeEnded { kill(node, SIGKILL) }
    try waitForNode(within: -1)
    try folder.remove()
    return status
  }

  /// Waits for the end of the node. Another signal ends a wait that is bounded.
  private mutating func waitForNode(within milliseconds: Int32) throws {
    while !hasNodeEnded {
      guard case .signal(let signal) = try next(within: milliseconds) else { return }
      if signal.number == SIGCHLD { _ = endedChildren() } else if milliseconds >= 0 { return }
    }
  }
}
