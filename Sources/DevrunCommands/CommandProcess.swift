internal import DevrunCore
internal import DevrunLauncher
internal import DevrunPlan
internal import DevrunSession
internal import DevrunSystem
internal import DevrunWorkload
internal import Dispatch
internal import Glibc

/// The two processes of a run: the front, which mirrors the command, and the keeper, which holds the session.
struct CommandProcess: Sendable {
  /// How long the command has to end after SIGTERM when its front was killed.
  static let grace = Duration.seconds(5)

  /// The session that connects and puts everything back.
  var session: Session
  /// The namespace, for the words that tell how to restore.
  var namespace: String
  /// The program to run.
  var program: ProgramInvocation
  /// How the command's own view of files is to be made.
  var isolation: IsolationChoice
  /// Whether the session lasts until the last process that the command left running has ended.
  var waitsForDescendants: Bool
  /// The plan to launch, made of what the session has made ready.
  var adjust: @Sendable (ReadySession) -> LaunchPlan = { $0.plan }
  /// What prints progress on the terminal.
  var report: ProgressReport
  /// The session's log. It forwards every event to `report`.
  var log: SessionLog
  /// This process's environment; it decides where the log file is stored.
  var environment: EnvironmentVariables

  /// Parts into front and keeper. Returns in neither: both end with the command's status.
  ///
  /// - Throws: `SplitError`, in the calling process.
  func run() throws -> Never {
    let keeper = try SessionProcess.split()
    Task { await hold(keeper) }
    dispatchMain()
  }

  /// The keeper's whole life: the session, then as long as anything that the command left behind needs it.
  private func hold(_ keeper: Keeper) async {
    log.open(session: session.name, environment: environment)
    let phase = RunPhase()
    let launcher = Launcher(keeper: keeper, helper: Installation.path(of: "devrun-exec").map { RawString($0) })
    let work = Task {
      // What this machine does not allow is reported before the cluster is touched.
      let isolation = try await launcher.probe(isolation)
      log.report(.detail("the command gets its own view of files by '\(isolation.rawValue)'"))
      return try await session.run(program, isolation: isolation, askingGroup: { keeper.askingGroup }) { connected in
        report.end()
        let child = try await launcher.launch(adjust(connected), redirecting: connected.redirected)
        log.record("the command runs as process \(child.processID)")
        phase.launched(child)
        let serving = Task { await child.redirect?.serve(by: connected.connector) }
        let status = await keeper.accompany(child, grace: Self.grace, waitsForDescendants: waitsForDescendants)
        log.record("the command has ended: \(status)")
        phase.beginRestoring()
        await serving.value
        return status
      }
    }
    let interruptions = Task {
      for await interruption in keeper.interruptions() { handle(interruption, work, phase, keeper) }
    }
    let status = await finalStatus(of: work, phase)
    interruptions.cancel()
    log.close()
    keeper.finish(status)
    await linger(phase, keeper)
    exit(0)
  }

  /// A signal that no command could take, or the end of the front.
  private func handle(
    _ interruption: Interruption, _ work: Task<WaitStatus, any Error>, _ phase: RunPhase, _ keeper: Keeper
  ) {
    log.record("interrupted: \(interruption)")
    switch phase.interrupt(interruption) {
    case .cancel:
      work.cancel()
    case .skipWaits:
      Terminal().say("putting everything back without waiting for pods; another signal ends devrun at once")
      session.skipWaits()
    case .giveUp:
      showFailure(
        Interrupted(
          message: ErrorMessage(
            "ended before everything was put back",
            remedy: RestoreCommandLine.text(in: namespace))))
      keeper.finish(.failed(.devrunFailed))
      exit(ExitStatus.devrunFailed.rawValue)
    case .none:
      break
    }
  }

  /// What becomes of devrun.
  private func finalStatus(of work: Task<WaitStatus, any Error>, _ phase: RunPhase) async -> WaitStatus {
    do {
      let status = try await work.value
      report.end()
      return status
    } catch {
      report.end()
      if let signal = phase.cancelledBy, !(error is any UserFacingError) { return .killed(signal, coreDumped: false) }
      guard !(error is CancellationError) else { return .failed(.devrunFailed) }
      showFailure(error)
      return .failed((error as? any UserFacingError)?.exitStatus ?? .devrunFailed)
    }
  }

  /// Tells a failure of devrun itself, and where more can be read of it.
  private func showFailure(_ error: any Error) {
    log.record(failure: error)
    Terminal().show(error)
    if let path = log.path { Terminal().say("the log of this session: \(path)") }
  }

  /// What the command left running keeps its network: each of its connects still asks this process, which answers
  /// "continue" until the last of them is gone.
  private func linger(_ phase: RunPhase, _ keeper: Keeper) async {
    guard let redirect = phase.redirect else { return }
    do {
      try keeper.detachStandardError()
    } catch {
      Terminal().say("standard error stays open: \(error)")
    }
    await redirect.unused()
  }
}

/// devrun was told to end at once.
private struct Interrupted: UserFacingError {
  var message: ErrorMessage
}
