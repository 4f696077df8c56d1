// What goes on beside a container's process: probes, hooks, and its end on request.

internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import Glibc
internal import NIOCore
internal import Synchronization

extension PodWorker {
  /// Waits for the end of a run. Meanwhile probes are asked, hooks called, and the run is ended when it is to be.
  func watched(_ run: ContainerRun, _ container: Container, _ launch: Sandbox.Launch) async -> ContainerProcess.End {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.end(run, container, launch) }
      group.addTask { await self.ask(container, run, launch) }
      if let hook = container.json[path: "lifecycle", "postStart"] {
        group.addTask { await self.callPostStart(hook, container, run, launch) }
      }
      let end = await run.process.end()
      group.cancelAll()
      return end
    }
  }

  // MARK: - End

  /// Ends a run as soon as it is to be ended: the hook, SIGTERM, and SIGKILL after the grace.
  private func end(_ run: ContainerRun, _ container: Container, _ launch: Sandbox.Launch) async {
    guard let kill = await run.kill.wait() else { return }
    report(.normal, "Killing", kill.message, on: container.name)
    let deadline = ContinuousClock.now + .seconds(kill.grace)
    if kill.grace > 0, let hook = container.json[path: "lifecycle", "preStop"],
      let handler = ProbeHandler(hook, of: container, at: fields.podIP)
    {
      let answer = await call(handler, run, launch, timeout: .seconds(kill.grace))
      if case .failure(let message) = answer, !Task.isCancelled {
        report(.warning, "FailedPreStopHook", "PreStopHook failed: \(message)", on: container.name)
      }
    }
    guard !Task.isCancelled else { return }
    if kill.grace > 0 {
      run.process.signal(SIGTERM)
      // Whatever the hook has taken, kubelet leaves the process two seconds.
      let rest = max(deadline - .now, .seconds(min(2, kill.grace)))
      _ = await forced.wait(for: rest)
      guard !Task.isCancelled else { return }
    }
    run.process.signal(SIGKILL)
  }

  private func callPostStart(
    _ hook: JSONValue, _ container: Container, _ run: ContainerRun, _ launch: Sandbox.Launch
  ) async {
    guard let handler = ProbeHandler(hook, of: container, at: fields.podIP) else { return }
    // Kubelet sets no limit; the run's end is one.
    let answer = await call(handler, run, launch, timeout: .seconds(86_400))
    guard case .failure(let message) = answer, !Task.isCancelled else { return }
    report(.warning, "FailedPostStartHook", "PostStartHook failed: \(message)", on: container.name)
    run.kill.set(ContainerRun.Kill(grace: grace, message: "FailedPostStartHook"))
  }

  /// The pod's own grace, in seconds.
  private var grace: Int { pod.spec["terminationGracePeriodSeconds"]?.int ?? 30 }

  // MARK: - Probes

  /// Asks the container's probes until the task is cancelled.
  private func ask(_ container: Container, _ run: ContainerRun, _ launch: Sandbox.Launch) async {
    let start = ContinuousClock.now
    await withTaskGroup(of: Void.self) { group in
      if container.json[Probe.Kind.startup.field] == nil { run.started.set(true) }
      for kind in Probe.Kind.allCases where container.json[kind.field] != nil {
        guard let probe = Probe(kind, of: container, at: fields.podIP) else {
          report(
            .warning, "Unhealthy", "\(kind.title) probe errored: it has no handler, or names an unknown port",
            on: container.name)
          continue
        }
        group.addTask { await self.ask(probe, container, run, launch, since: start) }
      }
    }
  }

  private func ask(
    _ probe: Probe, _ container: Container, _ run: ContainerRun, _ launch: Sandbox.Launch,
    since start: ContinuousClock.Instant
  ) async {
    if probe.kind != .startup { guard await run.started.wait() != nil else { return } }
    var next = max(start + probe.initialDelay, .now)
    var tally = ProbeTally(of: probe)
    // A program takes a moment to listen. Kubelet's first question comes about a second after the start; this one asks
    // at once, and again and again in the first period, in which failures do not count.
    let firstPeriod = next + probe.period
    var pause: Duration? = probe.kind == .liveness ? nil : .milliseconds(50)
    while (try? await Task.sleep(until: next, clock: .continuous)) != nil {
      let answer = await call(probe.handler, run, launch, timeout: probe.timeout)
      // A run that is being ended is no matter of these probes any more, and takes their commands with it.
      guard !Task.isCancelled, probe.kind == .readiness || run.kill.value == nil else { return }
      if let short = pause, !answer.isSuccess, .now + short < firstPeriod {
        pause = short * 2
        next = .now + short
        continue
      }
      if pause != nil, !answer.isSuccess { next = firstPeriod - probe.period }
      pause = nil
      if case .failure(let message) = answer {
        report(.warning, "Unhealthy", "\(probe.kind.title) probe failed: \(message)", on: container.name)
      }
      if let holds = tally.add(answer.isSuccess) {
        apply(holds, of: probe, container, run)
        // A container starts once.
        if probe.kind == .startup { return }
      }
      next = max(next + probe.period, .now)
    }
  }

  private func apply(_ holds: Bool, of probe: Probe, _ container: Container, _ run: ContainerRun) {
    switch (probe.kind, holds) {
    case (.startup, true):
      change(container.name) { record in
        record.isStarted = true
        record.isReady = container.json[Probe.Kind.readiness.field] == nil
      }
      run.started.set(true)
    case (.readiness, _):
      if record(of: container.name)?.isReady != holds { change(container.name) { $0.isReady = holds } }
    case (.liveness, true): break
    case (.startup, false), (.liveness, false):
      run.kill.set(
        ContainerRun.Kill(
          grace: probe.gracePeriodSeconds ?? grace,
          message: "Container \(container.name) failed \(probe.kind.rawValue) probe, will be restarted"))
    }
  }

  // MARK: - Questions

  /// Asks a container, or calls a hook.
  private func call(
    _ handler: ProbeHandler, _ run: ContainerRun, _ launch: Sandbox.Launch, timeout: Duration
  ) async -> ProbeAnswer {
    switch handler {
    case .httpGet(let question): return await ProbeQuestion.get(question, timeout: timeout)
    case .tcpSocket(let host, let port):
      return await ProbeQuestion.connect(host: host, port: port, timeout: timeout)
    case .grpc(let host, let port, let service):
      return await ProbeQuestion.checkHealth(host: host, port: port, service: service, timeout: timeout)
    case .exec(let command): return await execute(command, run, launch, timeout: timeout)
    case .sleep(let seconds):
      // Cancelled when the run ends meanwhile.
      try? await Task.sleep(for: min(.seconds(seconds), timeout))
      return .success
    }
  }

  /// Runs a command beside the container's process, with the same files and environment.
  private func execute(
    _ command: [String], _ run: ContainerRun, _ launch: Sandbox.Launch, timeout: Duration
  ) async -> ProbeAnswer {
    guard let sandbox = state.withLock({ $0.sandbox }) else { return .failure("the pod is gone") }
    var launch = launch
    launch.command = command
    let output = CommandOutput()
    do {
      let process = try await sandbox.execute(launch, beside: run.process) { output.append($0) }
      let end = try await withTimeout(timeout) {
        await withTaskCancellationHandler {
          await process.end()
        } onCancel: {
          process.signal(SIGKILL)
        }
      }
      guard let end else {
        let words = command.joined(separator: " ")
        return .failure("command timed out: \"\(words)\" timed out after \(timeout.goText)")
      }
      return end == .exited(0) ? .success : .failure(output.text)
    } catch {
      return .failure("\(error)")
    }
  }
}

/// The beginning of what a probe's command puts out.
private final class CommandOutput: Sendable {
  private static let limit = 10 * 1024
  private let buffer = Mutex(ByteBuffer())

  func append(_ bytes: ByteBuffer) {
    buffer.withLock { buffer in
      let room = Self.limit - buffer.readableBytes
      if let part = bytes.getSlice(at: bytes.readerIndex, length: min(room, bytes.readableBytes)) {
        buffer.writeImmutableBuffer(part)
      }
    }
  }

  var text: String { buffer.withLock { String(buffer: $0) } }
}
