internal import CMinicluster
internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// A program on its way into namespaces, made ready for C to start it (`start.c`).
struct SandboxSpawn: Sendable {
  /// PATH in a container whose image sets none.
  static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// The program and its arguments.
  var command: [String]
  /// All variables of the program.
  var environment: [String: String]
  /// Open namespaces to join.
  var joined: [Descriptor] = []
  /// The namespaces to make.
  var made = MINICLUSTER_NO_NAMESPACES
  /// The host name to set.
  var hostName: String?
  /// What is shown where, with the machine's files read-only around it; `nil`: the files that there are.
  var mounts: [Sandbox.Launch.Mount]?
  /// Where the program is started; `nil`: where this process is.
  var workingDirectory: String?
  /// Whether the program gets only the capabilities that container runtimes leave to root.
  var hasFewerCapabilities = false
  /// Whether the program leads a session of its own.
  var leadsSession = true
  /// Whether the program is an addition to a container that runs.
  var isAddition = false
  /// The program's standard input; `nil` is `/dev/null`.
  var input: Descriptor?

  /// Takes a program that is not started yet.
  init(command: [String], environment: [String: String]) {
    self.command = command
    self.environment = environment
  }

  /// A program that was started.
  struct Started: Sendable {
    /// Its number in this process's process namespace.
    var process: Int32
    /// Its number in the machine's.
    var outside: Int32
  }

  /// The files that the program's name may stand for.
  private var candidates: [String] {
    guard let name = command.first, !name.isEmpty else { return [] }
    if name.contains("/") { return [name] }
    let path = environment["PATH"] ?? Self.defaultPath
    return path.split(separator: ":").map { "\($0)/\(name)" }
  }

  /// Starts the program, and waits until it runs. To be called by a thread that blocks all signals.
  ///
  /// - Parameters:
  ///   - output: the descriptor of its standard output.
  ///   - error: the descriptor of its standard error.
  /// - Throws: ``SandboxError``, in the words of a container runtime.
  func start(output: Int32, error: Int32) throws(SandboxError) -> Started {
    // A folder comes before what is shown in it.
    let mounts = (mounts ?? []).enumerated().sorted { left, right in
      (left.element.depth, left.offset) < (right.element.depth, right.offset)
    }.map(\.element)
    let records: [minicluster_report]
    do throws(Errno) {
      records = try reports(output: output, error: error, mounts: mounts)
    } catch {
      throw .system("cannot start \(command.first ?? "")", error)
    }
    var started = Started(process: 0, outside: 0)
    for record in records {
      switch record.stage {
      case MINICLUSTER_STARTED: started.process = record.value
      case MINICLUSTER_SEEN_FROM_OUTSIDE: started.outside = record.value
      default:
        // The program's process has ended, or never was there.
        if started.process > 0 { Self.reap(started.process) }
        throw .start(message(of: record, mounts))
      }
    }
    guard started.process > 0, started.outside > 0 else {
      if started.process > 0 { Self.reap(started.process) }
      throw .start("unable to start container process: it was killed")
    }
    return started
  }

  /// Waits for the end of a child, and forgets it.
  static func reap(_ process: Int32) {
    var status: Int32 = 0
    // It fails only for what is no child.
    _ = try? system { waitpid(process, &status, 0) }
  }

  /// What the way to the program reported.
  private func reports(
    output: Int32, error: Int32, mounts: [Sandbox.Launch.Mount]
  ) throws(Errno) -> [minicluster_report] {
    let (report, reporting) = try Descriptor.pipe()
    let input = if let input { input } else { try Descriptor.open("/dev/null", O_RDONLY) }
    let sources = CStringArray(mounts.map { RawString($0.source) })
    let targets = CStringArray(mounts.map { RawString($0.target) })
    let strings = [
      command, environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }, candidates,
      [hostName ?? "", workingDirectory ?? ""],
    ].map { CStringArray($0.map { RawString($0) }) }
    var raw = mounts.enumerated().map { index, mount in
      minicluster_mount(
        source: sources.pointers[index], target: targets.pointers[index], read_only: mount.isReadOnly,
        folder: Self.isFolder(mount.source), tree: -1)
    }
    let joined = joined.map(\.number)
    let helper = try raw.withUnsafeMutableBufferPointer { (raw) throws(Errno) in
      try joined.withUnsafeBufferPointer { (joined) throws(Errno) in
        var launch = minicluster_launch()
        launch.joined = joined.baseAddress
        launch.joined_count = joined.count
        launch.made = made
        launch.host_name = hostName == nil ? nil : UnsafePointer(strings[3].pointers[0])
        launch.own_files = self.mounts != nil
        launch.mounts = raw.baseAddress
        launch.mount_count = raw.count
        launch.working_directory = workingDirectory == nil ? nil : UnsafePointer(strings[3].pointers[1])
        launch.fewer_capabilities = hasFewerCapabilities
        launch.new_session = leadsSession
        launch.candidates = UnsafeRawPointer(strings[2].pointers).assumingMemoryBound(to: UnsafePointer<CChar>?.self)
        launch.arguments = UnsafePointer(strings[0].pointers)
        launch.environment = UnsafePointer(strings[1].pointers)
        launch.input = input.number
        launch.output = output
        launch.error = error
        launch.report = reporting.number
        return try withExtendedLifetime((sources, targets, strings)) { () throws(Errno) in
          try shim { minicluster_start(&launch) }
        }
      }
    }
    reporting.close()
    defer { Self.reap(helper) }
    return try report.readToEnd().withUnsafeBytes { bytes in
      let size = MemoryLayout<minicluster_report>.stride
      return (0..<bytes.count / size).map {
        bytes.loadUnaligned(fromByteOffset: $0 * size, as: minicluster_report.self)
      }
    }
  }

  private static func isFolder(_ path: String) -> Bool {
    // With a slash at its end a path leads to a folder or to nothing. The way to the program reports what is missing.
    access(path + "/", F_OK) == 0
  }

  /// A failure in the words of containerd and runc.
  private func message(of record: minicluster_report, _ mounts: [Sandbox.Launch.Mount]) -> String {
    let words = Errno(rawValue: record.error).runtimeWords
    let program = command.first ?? ""
    let cause =
      switch record.stage {
      case MINICLUSTER_STAGE_PROGRAM where !program.contains("/"):
        "exec: \"\(program)\": executable file not found in $PATH"
      case MINICLUSTER_STAGE_PROGRAM where record.error == ENOENT || record.error == ENOTDIR:
        "exec: \"\(program)\": stat \(program): \(words)"
      case MINICLUSTER_STAGE_PROGRAM: "exec: \"\(program)\": \(words)"
      case MINICLUSTER_STAGE_WORKING_DIRECTORY:
        "chdir to cwd (\"\(workingDirectory ?? "")\") set in config.json failed: \(words)"
      case MINICLUSTER_STAGE_MOUNT_SOURCE, MINICLUSTER_STAGE_MOUNT_TARGET:
        "error mounting \"\(mounts[Int(record.value)].source)\" to rootfs at "
          + "\"\(mounts[Int(record.value)].target)\": \(words)"
      case MINICLUSTER_STAGE_FILES: "preparing rootfs: \(words)"
      case MINICLUSTER_STAGE_NAMESPACE: "joining namespaces: \(words)"
      case MINICLUSTER_STAGE_HOST_NAME: "sethostname: \(words)"
      case MINICLUSTER_STAGE_CAPABILITIES: "unable to apply caps: \(words)"
      default: words
      }
    let start = "unable to start container process: "
    return isAddition
      ? "OCI runtime exec failed: exec failed: \(start)\(cause): unknown"
      : "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        + "\(start)error during container init: \(cause): unknown"
  }
}

extension Sandbox.Launch.Mount {
  /// How many folders are above the target.
  fileprivate var depth: Int { target.split(separator: "/").count }
}
