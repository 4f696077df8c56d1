import CLinux
public import DevrunCore
public import DevrunPlan
import DevrunSystem
import Glibc

/// Starts the command as the launch plan says.
public struct Launcher: Sendable {
  private let keeper: Keeper
  private let features: KernelFeatures
  private let helper: RawString?

  /// A launcher of children of the keeper.
  ///
  /// - Parameters:
  ///   - features: what of the kernel to use; less than all to do as an older one would.
  ///   - helper: the path of `devrun-exec`, which may make mount namespaces if it has CAP_SYS_ADMIN as a file capability
  ///     (capabilities(7)); `nil` where it is not installed. Not used by a process that has the capability itself.
  public init(keeper: Keeper, features: KernelFeatures = .all, helper: RawString? = nil) {
    self.keeper = keeper
    self.features = features
    self.helper = devrun_has_sys_admin() ? nil : helper
  }

  /// Finds out whether the isolation is to be had here, by trying it in a process that ends at once.
  ///
  /// - Parameter choice: what the user asks for.
  /// - Returns: the best way that the choice allows and that works.
  /// - Throws: `LaunchError.isolation` or `.noIsolation`, or `.stage` if connections cannot be redirected.
  public func probe(_ choice: IsolationChoice) async throws(LaunchError) -> Isolation {
    let result = Latch<Result<Isolation, LaunchError>>()
    keeper.threads.start(name: "devrun-probe", failed: { result.set(.failure(.resources($0))) }) { [self] in
      do throws(LaunchError) { result.set(.success(try choose(choice))) } catch { result.set(.failure(error)) }
    }
    return try await result.uncancelledValue().get()
  }

  /// Starts the command, and keeps the front informed of what becomes of it.
  ///
  /// Afterwards this process holds none of the descriptors that devrun was started with, but for standard error.
  ///
  /// - Parameters:
  ///   - plan: what to start.
  ///   - table: the addresses to which connections are redirected, if the plan wants that.
  public func launch(_ plan: LaunchPlan, redirecting table: RedirectTable) async throws(LaunchError) -> LaunchedChild {
    // The thread that forks also waits for the child: to the kernel a child is its thread's.
    let started = Latch<Result<LaunchedChild, LaunchError>>()
    keeper.threads.start(name: "devrun-child", failed: { started.set(.failure(.resources($0))) }) { [self] in
      do throws(LaunchError) {
        let child = try launchHere(plan, redirecting: table)
        started.set(.success(child))
        child.watch { keeper.childChanged($0) }
      } catch {
        started.set(.failure(error))
      }
    }
    return try await started.uncancelledValue().get()
  }

  private func launchHere(_ plan: LaunchPlan, redirecting table: RedirectTable) throws(LaunchError) -> LaunchedChild {
    let isolation = plan.changesFiles ? plan.isolation : nil
    if isolation == .trap, !plan.mounts.isEmpty { throw .mountsNeedNamespace }
    keeper.recordTerminal()
    let birth = try birth(of: plan, isolation)
    let listening = Broadcast<ListenEvent>()
    do throws(LaunchError) {
      // Before the program runs: from its first step on it may wait for answers.
      let files = isolation == .trap ? PrivateFiles(plan) : PrivateFiles()
      let redirect = try birth.awaitListener().map { (listener) throws(LaunchError) in
        try mappingErrno(to: LaunchError.resources) { () throws(Errno) in
          let listens = try listenWatch(for: plan, listening)
          do throws(Errno) {
            return try ConnectRedirect(
              listener: listener, table: plan.redirectsConnections ? table : RedirectTable(), files: files,
              podAddresses: plan.podAddresses, listens: listens, features: features)
          } catch {
            listens?.end()
            throw error
          }
        }
      }
      let child = LaunchedChild(
        processID: birth.process, isolation: isolation, redirect: redirect, listening: listening,
        mountPoints: birth.mountPoints)
      keeper.attach(child, gate: birth.gate)
      try birth.awaitExecution()
      // What the child waits for must not be held open here: the ends of pipes, above all.
      try mappingErrno(to: LaunchError.resources) { () throws(Errno) in try StandardStreams.disconnect([0, 1]) }
      for number in keeper.inherited.descriptors where number > 2 { _ = close(number) }
      return child
    } catch {
      keeper.detach()
      birth.abort()
      throw error
    }
  }

  /// What watches for the listeners that the plan asks for; `nil`: for none.
  private func listenWatch(
    for plan: LaunchPlan, _ events: Broadcast<ListenEvent>
  ) throws(Errno) -> ListenWatch? {
    guard !plan.listenPorts.isEmpty else { return nil }
    return try ListenWatch(
      ports: plan.listenPorts, inherited: keeper.inherited.descriptors, events: events)
  }

  private func choose(_ choice: IsolationChoice) throws(LaunchError) -> Isolation {
    guard choice == .automatic else {
      for isolation in choice.candidates { try attempt(isolation) }
      return choice.candidates[0]
    }
    var attempts: [LaunchError.Attempt] = []
    for candidate in choice.candidates {
      if candidate == .mount, helper == nil, !devrun_has_sys_admin() { continue }
      do throws(LaunchError) {
        try attempt(candidate)
        return candidate
      } catch {
        guard case .isolation(_, let stage, let cause) = error else { throw error }
        attempts.append(.init(isolation: candidate, stage: stage, error: cause))
      }
    }
    throw .noIsolation(attempts)
  }

  /// Goes all the way of a launch but the last step, in whose place one connection is redirected.
  private func attempt(_ isolation: Isolation) throws(LaunchError) {
    let birth = try birth(of: nil, isolation)
    defer { birth.abort() }
    let trial = try birth.awaitListener().map { (listener) throws(LaunchError) in
      try mappingErrno(to: LaunchError.resources) { () throws(Errno) in
        try ConnectTrial(listener: listener, features: features)
      }
    }
    defer { trial?.end() }
    try birth.awaitExecution()
  }

  private func birth(of plan: LaunchPlan?, _ isolation: Isolation?) throws(LaunchError) -> ChildBirth {
    try ChildBirth(
      plan: plan, isolation: isolation, keeper: keeper, features: features, helper: isolation == .mount ? helper : nil)
  }
}
