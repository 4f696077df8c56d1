import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization

/// The way of one redirected connect.
extension ConnectRedirect {
  /// Dials, connects the caller's socket to the session's listener, and answers the call.
  func redirect(_ call: TrappedConnect, by connector: any OutboundConnector) async {
    let attempt =
      places.moves(call.key.address, port: call.key.port)
      ? OwnAttempt(place: places.place(of: call.destination.address, port: call.destination.port, isTCP: true))
      : connector.begin(to: call.destination)
    await withTaskCancellationHandler {
      await withDiscardingTaskGroup { group in
        group.addTask { await self.follow(attempt, of: call) }
        if await !answer(call, attempt) { attempt.cancel() }
        // The far end may answer much later. Held until then, the socket would not end when its owners close it.
        call.socket.release()
      }
    } onCancel: {
      attempt.cancel()
    }
  }

  /// Waits for the far end.
  private func follow(_ attempt: any OutboundAttempt, of call: TrappedConnect) async {
    let start = ContinuousClock.now
    call.outcome.set(await attempt.outcome())
    if ContinuousClock.now - start < WaitBudget.longest { state.withLock { $0.budget.restore(call.destination) } }
  }

  /// Answers the call. Whether the attempt is still needed afterwards.
  private func answer(_ call: TrappedConnect, _ attempt: any OutboundAttempt) async -> Bool {
    let connection: Result<CallerSocket.Connection, Errno>
    do {
      connection = await connect(call, to: try await attempt.acceptor())
    } catch {
      if call.joined != nil { call.socket.withdraw(isReported: call.isAwaited) }
      settle(call, .networkUnreachable)
      return false
    }
    if case .success(let connection) = connection { attempt.attach(connection.local) }
    let patience = patience(for: call)
    // A socket that was put in place could not be had again.
    if !isPlaced(call) { call.socket.release() }
    var outcome = await answerInTime(to: call, patience)
    if Task.isCancelled, outcome != .connected { outcome = .failed(.networkUnreachable) }
    // What the far end answers counts more than what was wrong with the way to it.
    if case .failed(let error) = outcome {
      if case .success(let connection) = connection { withdraw(call, connection) }
      settle(call, error)
      return false
    }
    switch connection {
    case .success(let connection):
      // Without an answer in time the caller goes on without it, as it does when its own connect takes so long.
      settle(call, outcome == .undecided ? .inProgress : connection.error)
      return true
    case .failure(let error):
      settle(call, error)
      return false
    }
  }

  private func connect(
    _ call: TrappedConnect, to acceptor: IPEndpoint
  ) async -> Result<CallerSocket.Connection, Errno> {
    do throws(Errno) {
      if let joined = call.joined {
        if joined.acceptor == acceptor, joined.isComplete { return .success(joined.connection) }
        if joined.acceptor != acceptor { try call.socket.disconnect() }
      }
      let connection = try await call.socket.connect(to: acceptor)
      call.noteConnection()
      if !places.moves(call.key.address, port: call.key.port) {
        state.withLock { $0.acceptors.remember(acceptor, for: call.destination) }
      }
      return .success(connection)
    } catch {
      return .failure(error)
    }
  }

  /// How long the caller can be kept waiting, and whether it has asked not to wait. `nil`: for ever.
  private func patience(for call: TrappedConnect) -> (time: Duration, isBudget: Bool)? {
    guard !call.socket.isNonBlocking else {
      return (state.withLock { $0.budget.patience(of: call.thread, for: call.destination, at: .now) }, true)
    }
    // A socket that cannot be asked any more has no bound.
    return (try? call.socket.timeout).map { (time: $0, isBudget: false) }
  }

  /// What the far end has answered in time.
  private func answerInTime(
    to call: TrappedConnect, _ patience: (time: Duration, isBudget: Bool)?
  ) async -> DialOutcome {
    guard let patience else { return await call.outcome.wait() ?? .undecided }
    if patience.time == .zero { return call.outcome.value ?? .undecided }
    let start = ContinuousClock.now
    let outcome = await call.outcome.wait(for: patience.time)
    let now = ContinuousClock.now
    if patience.isBudget {
      state.withLock {
        $0.budget.spend(now - start, inVain: outcome == nil, of: call.thread, on: call.destination, at: now)
      }
    }
    return outcome ?? .undecided
  }

  private func isPlaced(_ call: TrappedConnect) -> Bool { state.withLock { $0.placed.contains(call.key.inode) } }

  /// Takes back the connection of the caller's socket, which the far end has refused.
  private func withdraw(_ call: TrappedConnect, _ connection: CallerSocket.Connection) {
    // Not of a call that was answered otherwise, whose program has gone on.
    guard state.withLock({ $0.pending[call.key] === call }), let socket = socket(of: call),
      socket.inode == call.key.inode, (try? socket.local) == connection.local
    else { return }
    socket.withdraw(isReported: call.isAwaited)
    socket.release()
  }

  /// The caller's socket. `nil`: the caller is gone, or has closed it.
  private func socket(of call: TrappedConnect) -> CallerSocket? {
    if isPlaced(call) { return call.socket }
    return try? CallerSocket(
      of: call.thread, number: call.number, family: call.socket.family, ofAnyKind: true, features: features)
  }

  /// Answers the call, and remembers what has to be remembered for its repetition.
  private func settle(_ call: TrappedConnect, _ error: Errno?) {
    state.withLock { state in
      if state.pending[call.key] === call { state.pending[call.key] = nil }
      if error == nil { state.answered.remember(call.key, of: call.thread, at: .now) }
      call.answer(error)
    }
  }
}

/// A connection of the child to its pod's own address: to itself, that is, by the loopback interface of this machine.
private struct OwnAttempt: OutboundAttempt {
  let place: IPEndpoint

  func acceptor() -> IPEndpoint { place }
  /// Whether anybody listens there, the caller's own socket finds out.
  func outcome() -> DialOutcome { .connected }
  func attach(_ local: IPEndpoint) {}
  func cancel() {}
}
