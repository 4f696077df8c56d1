internal import DevrunCore
internal import DevrunLauncher
internal import DevrunPlan
internal import DevrunSession
internal import DevrunSystem
internal import DevrunWorkload
internal import Dispatch
internal import Synchronization

/// The two processes of a run: the front, which mirrors the command, and the keeper, which holds the session.
///
/// The keeper drives the run's machine: it is told of each event, and does what the machine answers.
final class CommandProcess: Sendable {
  /// How long the command has to end after SIGTERM when its front was killed.
  static let grace = Duration.seconds(5)

  /// The keeper's part of a run: the session's whole life.
  typealias Work = @Sendable (CommandProcess, Keeper) async throws -> WaitStatus

  private let session: Session
  private let reporter: RunReporter
  private let environment: EnvironmentVariables
  private let machine = Mutex(RunMachine())
  private let child = Mutex<LaunchedChild?>(nil)

  /// - Parameters:
  ///   - session: the session that connects and puts everything back.
  ///   - reporter: the run's voice.
  ///   - environment: this process's environment; it decides where the log file is stored.
  init(session: Session, reporter: RunReporter, environment: EnvironmentVariables) {
    self.session = session
    self.reporter = reporter
    self.environment = environment
  }

  /// Parts into front and keeper. Returns in neither: both end with the run's status.
  ///
  /// - Throws: `SplitError`, in the calling process.
  func run(_ work: @escaping Work) throws -> Never {
    let keeper = try SessionProcess.split(remedy: session.restoreCommand)
    Task { await hold(keeper, work) }
    dispatchMain()
  }

  /// The command is launched: from now on signals are its own.
  func launched(_ child: LaunchedChild) {
    self.child.withLock { $0 = child }
    reporter.report(.record("the command runs as process \(child.processID)"))
    perform(machine.withLock { $0.handle(.launched) })
  }

  /// The command is over.
  func commandEnded(_ status: WaitStatus) {
    reporter.report(.record("the command has ended: \(status)"))
    perform(machine.withLock { $0.handle(.commandEnded) })
  }

  /// The session begins to put back what it changed.
  func ending() { perform(machine.withLock { $0.handle(.ending) }) }

  /// The keeper's whole life: the session, then as long as anything that the command left behind needs it.
  private func hold(_ keeper: Keeper, _ work: @escaping Work) async {
    reporter.openLog(of: session.name, environment: environment)
    let task = Task { try await work(self, keeper) }
    let interruptions = Task {
      for await interruption in keeper.interruptions() {
        reporter.report(.record("interrupted: \(interruption)"))
        perform(machine.withLock { $0.handle(.interrupted(interruption)) }, task, keeper)
      }
    }
    let outcome = await outcome(of: task)
    interruptions.cancel()
    reporter.closeLog()
    perform(machine.withLock { $0.handle(.finished(outcome)) }, task, keeper)
  }

  private func perform(
    _ actions: [RunMachine.Action], _ task: Task<WaitStatus, any Error>? = nil, _ keeper: Keeper? = nil
  ) {
    let child = child.withLock { $0 }
    for action in actions {
      switch action {
      case .cancelStart: task?.cancel()
      case .releaseNetwork: child?.redirect?.release()
      case .skipWaits:
        reporter.report(
          .answer("putting everything back without waiting for pods; another signal ends devrun at once"))
        session.skipWaits()
      case .giveUp:
        reportFailure(
          Interrupted(
            message: ErrorMessage("ended before everything was put back", remedy: session.restoreCommand)))
        end(.failed(.devrunFailed), keeper)
      case .exit(let status): end(status, keeper)
      }
    }
  }

  /// Ends both processes, however the run went: what the command left running keeps its network.
  private func end(_ status: WaitStatus, _ keeper: Keeper?) {
    guard let keeper else { return }
    let child = child.withLock { $0 }
    Task { await keeper.end(status, leaving: child) }
  }

  /// What became of the session.
  private func outcome(of task: Task<WaitStatus, any Error>) async -> RunMachine.Outcome {
    do {
      let status = try await task.value
      reporter.report(.idle)
      return .status(status)
    } catch {
      reporter.report(.idle)
      let isOurs = error is any UserFacingError
      if !isOurs, machine.withLock({ $0.isCancelled }) || error is CancellationError { return .cancelled }
      reportFailure(error)
      return .failed((error as? any UserFacingError)?.exitStatus ?? .devrunFailed)
    }
  }

  /// Reports a failure of devrun itself, and where more can be read of it.
  private func reportFailure(_ error: any Error) {
    reporter.report(failure: error)
    if let path = reporter.logPath { reporter.report(.answer("the log of this session: \(path)")) }
  }
}

/// devrun was told to end at once.
private struct Interrupted: UserFacingError {
  var message: ErrorMessage
}
