// A container's life: its process is started, watched, and started again.

internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import Glibc
internal import NIOCore
internal import Synchronization

extension PodWorker {
  /// Runs a container until it is not to run any more.
  ///
  /// - Returns: whether its last run ended well.
  func run(_ container: Container, isInit: Bool) async -> Bool {
    var backoff = RestartBackoff()
    let policy = state.withLock(\.status.restartPolicy)
    while !isStopping {
      guard let launch = await configured(container) else { return false }
      let termination = await runOnce(container, launch)
      let endedWell = termination.exitCode == 0
      let isOver = isInit ? endedWell || policy == .never : !policy.restarts(after: termination.exitCode)
      if isOver || isStopping { return endedWell }
      if let wait = backoff.wait(after: termination.finished) {
        report(
          .warning, "BackOff",
          "Back-off restarting failed container \(container.name) in pod \(name.name)_\(name.namespace)(\(uid))",
          on: container.name)
        change(container.name) { record in
          record.last = termination
          record.state = .waiting(
            reason: "CrashLoopBackOff",
            message: "back-off \(wait.goText) restarting failed container=\(container.name) "
              + "pod=\(name.name)_\(name.namespace)(\(uid))")
        }
        _ = await stopping.wait(for: wait)
      }
    }
    return false
  }

  /// What the container's process is started with. `nil` if the pod ends before that can be had.
  private func configured(_ container: Container) async -> Sandbox.Launch? {
    while !isStopping {
      let seen = changes.count
      let problem: ContainerConfigError
      do throws(ContainerConfigError) { return try launch(of: container) } catch { problem = error }
      reportPulled(container)
      report(.warning, "Failed", "Error: \(problem.message)", on: container.name)
      wait(container, with: problem)
      await change(after: seen)
    }
    return nil
  }

  private func wait(_ container: Container, with problem: ContainerConfigError) {
    change(container.name) { $0.state = .waiting(reason: problem.reason, message: problem.message) }
  }

  private func reportPulled(_ container: Container) {
    report(
      .normal, "Pulled", "Container image \"\(container.image ?? "")\" already present on machine", on: container.name)
  }

  /// What the container's process is started with.
  private func launch(of container: Container) throws(ContainerConfigError) -> Sandbox.Launch {
    let (pod, fields) = (pod, fields)
    var services = context.store.list(.service, in: name.namespace).objects
    if name.namespace != "default", let server = context.store.object(.service, in: "default", named: "kubernetes") {
      services.append(server)
    }
    let environment = try PodEnvironment(fields: fields, services: services, configMap: configMap, secret: secret)
      .environment(of: container)
    for warning in environment.warnings { report(.warning, "InvalidEnvironmentVariableNames", warning) }
    let variables = environment.variables
    func words(_ field: String) -> [String] {
      (container.json[field]?.array ?? []).compactMap(\.string).map { $0.expanded { variables[$0] } }
    }
    // The sandbox adds PATH, HOME and HOSTNAME, as a container runtime does.
    var launch = Sandbox.Launch(command: words("command") + words("args"), environment: variables)
    if let folder = container.json["workingDir"]?.string, !folder.isEmpty { launch.workingDirectory = folder }
    launch.mounts = try ownMounts(pod, fields.podIP)
    // The machine's files are the image, and they name no program to start.
    if launch.command.isEmpty {
      throw ContainerConfigError(reason: "CreateContainerError", message: "no command specified")
    }
    launch.mounts += try volumes.mounts(of: container, in: pod) { variables[$0] }
    return launch
  }

  /// The files that each container has: /etc/hosts and /etc/resolv.conf.
  private func ownMounts(_ pod: KubeObject, _ address: String) throws(ContainerConfigError) -> [Sandbox.Launch.Mount] {
    let files = PodFiles(
      pod: pod, address: address, resolver: context.resolver, machineResolverFile: context.machineResolverFile)
    var mounts: [Sandbox.Launch.Mount] = []
    for (name, text) in [("hosts", files.hosts), ("resolv.conf", files.resolverFile)] {
      let path = "\(folder)/\(name)"
      try write(Array(text.utf8), to: path, mode: 0o644)
      mounts.append(Sandbox.Launch.Mount(source: path, target: "/etc/\(name)"))
    }
    return mounts
  }

  private func write(_ bytes: [UInt8], to path: String, mode: UInt32) throws(ContainerConfigError) {
    try mappingErrno(to: { ContainerConfigError(message: "\(path): \($0)") }) { () throws(Errno) in
      let file = try Descriptor.open(RawString(path), O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
      try system { fchmod(file.number, mode) }
      try file.writeAll(bytes)
    }
  }

  // MARK: - One run

  /// Starts the container's process and waits for its end. The container's state is kept up to date.
  private func runOnce(_ container: Container, _ launch: Sandbox.Launch) async -> ContainerRecord.Termination {
    let before = record(of: container.name)
    let isRestart = before?.containerID != nil
    let number = (before?.restarts ?? 0) + (isRestart ? 1 : 0)
    let begun: Begun
    do {
      begun = try await begin(container, launch, number)
    } catch {
      return failedStart(of: container, number, "\(error)")
    }
    let (run, log) = (begun.run, begun.log)
    let started = WallTime.now
    let id = "minicluster://\(run.process.process)"
    register(run, of: container.name, log)
    report(.normal, "Started", "Started container \(container.name)", on: container.name)
    change(container.name) { record in
      if let last = record.termination { record.last = last }
      record.restarts = number
      record.containerID = id
      record.state = .running(since: started)
      record.isStarted = container.json["startupProbe"] == nil
      record.isReady = record.isStarted && container.json["readinessProbe"] == nil
    }
    let end = await watched(run, container, launch)
    log.finish()
    state.withLock { $0.runs[container.name] = nil }
    let termination = ContainerRecord.Termination(
      exitCode: end.exitCode, reason: end.exitCode == 0 ? "Completed" : "Error",
      message: lastWords(of: container, end.exitCode, in: begun.messageFile, log), started: started, finished: .now,
      containerID: id)
    change(container.name) { record in
      record.isReady = false
      record.isStarted = false
      record.state = .terminated(termination)
    }
    return termination
  }

  /// A run that has begun, and its files.
  private struct Begun {
    var run: ContainerRun
    var log: PodLog
    var messageFile: String
  }

  /// Starts the container's process.
  private func begin(_ container: Container, _ launch: Sandbox.Launch, _ number: Int) async throws -> Begun {
    reportPulled(container)
    let (log, messageFile) = try makeFiles(of: container, number)
    var launch = launch
    let target = container.json["terminationMessagePath"]?.string ?? "/dev/termination-log"
    launch.mounts.append(Sandbox.Launch.Mount(source: messageFile, target: target))
    report(.normal, "Created", "Created container \(container.name)", on: container.name)
    guard let sandbox = state.withLock({ $0.sandbox }) else { throw CancellationError() }
    let process = try await sandbox.launch(launch) { log.write($0) }
    return Begun(run: ContainerRun(process), log: log, messageFile: messageFile)
  }

  /// Makes the log and the file for the last words of a run.
  private func makeFiles(of container: Container, _ number: Int) throws -> (PodLog, String) {
    let folder = "\(self.folder)/containers/\(container.name)"
    try KubeletFolder.make(folder)
    let messageFile = "\(folder)/\(number).message"
    try write([], to: messageFile, mode: 0o666)
    // The runs before the last one are forgotten.
    for ending in ["log", "message"] { try Directory.removeTree(RawString("\(folder)/\(number - 2).\(ending)")) }
    return (try PodLog(path: "\(folder)/\(number).log"), messageFile)
  }

  private func register(_ run: ContainerRun, of container: String, _ log: PodLog) {
    state.withLock { state in
      state.runs[container] = run
      state.logs[container] = (state.logs[container] ?? []).suffix(1) + [log]
    }
    // The pod may have been stopped while the process was started.
    if let grace = stopping.value {
      run.kill.set(ContainerRun.Kill(grace: grace, message: "Stopping container \(container)"))
    }
    if forced.value != nil { run.process.signal(SIGKILL) }
  }

  private func failedStart(
    of container: Container, _ number: Int, _ message: String
  ) -> ContainerRecord.Termination {
    report(.warning, "Failed", "Error: \(message)", on: container.name)
    let termination = ContainerRecord.Termination(
      exitCode: 128, reason: "StartError", message: message, started: WallTime(seconds: 0), finished: .now,
      containerID: "minicluster://\(uid)-\(container.name)-\(number)")
    change(container.name) { record in
      if let last = record.termination { record.last = last }
      record.restarts = number
      record.containerID = termination.containerID
      record.state = .terminated(termination)
    }
    return termination
  }

  /// The message that a run leaves (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
  private func lastWords(of container: Container, _ exitCode: Int32, in file: String, _ log: PodLog) -> String? {
    // A file that the container has put out of reach holds no message.
    let bytes = (try? Descriptor.open(RawString(file), O_RDONLY | O_NOFOLLOW).read(upTo: 4096)) ?? []
    if !bytes.isEmpty { return String(decoding: bytes, as: UTF8.self) }
    guard exitCode != 0, container.json["terminationMessagePolicy"]?.string == "FallbackToLogsOnError" else {
      return nil
    }
    let words = log.lastWords()
    return words.isEmpty ? nil : words
  }
}
