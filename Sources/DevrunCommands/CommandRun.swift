internal import DevrunCore
internal import DevrunLauncher
internal import DevrunPlan
internal import DevrunSession
internal import DevrunWorkload

/// What the keeper of `devrun -- <command>` does: it holds the session, in which the command runs.
struct CommandRun: Sendable {
  /// The session that connects and puts everything back.
  var session: Session
  /// The program to run.
  var program: ProgramInvocation
  /// How the command's own view of files is to be made.
  var isolation: IsolationChoice
  /// The paths of this machine as places for volumes.
  var places: VolumePlaces
  /// Whether a file gives a volume a path.
  var showsVolumes: Bool
  /// Whether the session lasts until the last process that the command left running has ended.
  var waitsForDescendants: Bool
  /// The run's voice.
  var reporter: RunReporter

  /// Runs the command in the session.
  @Sendable func hold(_ process: CommandProcess, _ keeper: Keeper) async throws -> WaitStatus {
    let launcher = Launcher(keeper: keeper, helper: Installation.path(of: "devrun-exec").map { RawString($0) })
    // What this machine does not allow is reported before the cluster is touched.
    let isolation = try await launcher.probe(isolation)
    if showsVolumes, isolation == .trap { throw LaunchError.mountsNeedNamespace }
    reporter.report(.detail("the command gets its own view of files by '\(isolation.rawValue)'"))
    return try await session.run(
      program, isolation: isolation, places: places, askingGroup: { keeper.askingGroup }, ending: process.ending
    ) { ready in
      reporter.report(.idle)
      let child = try await launcher.launch(ready.plan, redirecting: ready.redirected)
      process.launched(child)
      let serving = Task<Void, Never> { await child.redirect?.serve(by: ready.connector) }
      let command = LaunchedCommand(
        child: child, keeper: keeper, process: process, serving: serving, waitsForDescendants: waitsForDescendants,
        reporter: reporter)
      guard !Task.isCancelled else {
        // A signal came in the moment of the launch. The command got it too, and may go on all the same.
        await command.terminate()
        _ = await command.ended()
        throw CancellationError()
      }
      return command
    }
  }
}

/// The command of a session, as the launcher has started it.
private struct LaunchedCommand: RunningCommand {
  var child: LaunchedChild
  var keeper: Keeper
  var process: CommandProcess
  var serving: Task<Void, Never>
  var waitsForDescendants: Bool
  var reporter: RunReporter

  var listenEvents: AsyncStream<ListenEvent> { child.listenEvents }

  func ended() async -> WaitStatus {
    let status = await keeper.accompany(
      child, grace: CommandProcess.grace, waitsForDescendants: waitsForDescendants)
    process.commandEnded(status)
    // What cannot be removed is reported when the session's folder goes, which has the record of it.
    _ = child.removeMountPoints()
    let left = keeper.leftRunning
    if !left.isEmpty {
      reporter.report(
        .fact(
          "\(left.joined(separator: ", ")) goes on running without the session; --wait keeps the session until the end of "
            + "all that the command started"))
    }
    await serving.value
    return status
  }

  func terminate() async {
    // Also in a task that is cancelled the command has its time to end.
    await Task {
      _ = await child.terminate(grace: CommandProcess.grace)
      keeper.stopAwaitingDescendants()
    }.value
  }
}
