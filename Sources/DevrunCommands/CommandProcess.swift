internal import DevrunCore
internal import DevrunLauncher
internal import DevrunSession
internal import Dispatch
internal import Glibc

/// The two processes of a run: the front, which mirrors the command, and the keeper, which holds the session.
struct CommandProcess: Sendable {
  /// How long the command has to end after SIGTERM when its front was killed.
  static let grace = Duration.seconds(5)

  /// What is to be connected.
  var session: Session
  /// The namespace, for the words that tell how to restore.
  var namespace: String
  /// What is to be run.
  var command: Command
  /// Who is told.
  var observer: ProgressReport

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
    let phase = RunPhase()
    let launcher = Launcher(keeper: keeper)
    let work = Task {
      // What this machine does not allow is told before the cluster is touched.
      var command = command
      command.isolation = try await launcher.probe(command.isolation)
      observer.tell(.detail("the command gets its own view of files by '\(command.isolation.rawValue)'"))
      return try await session.run(command, askingGroup: { keeper.askingGroup }) { plan, connector, table in
        observer.end()
        let child = try await launcher.launch(plan, redirecting: table)
        phase.launched(child)
        let serving = Task { await child.redirect?.serve(by: connector) }
        let status = await keeper.accompany(child, grace: Self.grace)
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
    keeper.finish(status)
    await linger(phase, keeper)
    exit(0)
  }

  /// A signal that no command could take, or the end of the front.
  private func handle(
    _ interruption: Interruption, _ work: Task<WaitStatus, any Error>, _ phase: RunPhase, _ keeper: Keeper
  ) {
    switch phase.interrupt(interruption) {
    case .cancel:
      work.cancel()
    case .hasten:
      Terminal().say("putting everything back without waiting for pods; another signal ends devrun at once")
      session.hasten()
    case .giveUp:
      Terminal().show(
        ErrorMessage(
          "ended before everything was put back",
          remedy: "devrun restore -n \(namespace) --all"))
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
      observer.end()
      return status
    } catch {
      observer.end()
      if let signal = phase.cancelledBy, !(error is any UserFacingError) { return .killed(signal, coreDumped: false) }
      guard !(error is CancellationError) else { return .failed(.devrunFailed) }
      Terminal().show(error)
      return .failed((error as? any UserFacingError)?.exitStatus ?? .devrunFailed)
    }
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
