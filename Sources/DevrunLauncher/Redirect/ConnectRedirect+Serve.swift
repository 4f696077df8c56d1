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
        group.addTask { call.outcome.set(await attempt.outcome()) }
        if await !answer(call, attempt) { attempt.cancel() }
        // The far end may answer much later. Held until then, the socket would not end when its owners close it.
        call.socket.release()
      }
    } onCancel: {
      attempt.cancel()
    }
  }

  /// Answers the call. Whether the attempt is still needed afterwards.
  private func answer(_ call: TrappedConnect, _ attempt: any OutboundAttempt) async -> Bool {
    let acceptor: IPEndpoint
    let outcome: DialOutcome
    do {
      acceptor = try await attempt.acceptor()
      let patience = call.socket.isNonBlocking ? Self.patience : try call.socket.timeout
      let result = if let patience { await call.outcome.wait(for: patience) } else { await call.outcome.wait() }
      outcome = result ?? .undecided
    } catch {
      settle(call, .networkUnreachable)
      return false
    }
    if case .failed(let error) = outcome {
      settle(call, error)
      return false
    }
    // A socket whose owner is gone must not be connected: somebody would seem to be at its end.
    guard !Task.isCancelled, call.isAwaited || call.canBeRepeated(features) else {
      settle(call, .networkUnreachable)
      return false
    }
    do throws(Errno) {
      let connection = try await call.socket.connect(to: acceptor)
      attempt.attach(connection.local)
      // Without an answer in time the caller goes on without it, as it does when its own connect takes so long.
      settle(call, outcome == .undecided ? .inProgress : connection.error)
      return true
    } catch {
      settle(call, error)
      return false
    }
  }

  /// Answers the call, and remembers what has to be remembered for its repetition.
  private func settle(_ call: TrappedConnect, _ error: Errno?) {
    state.withLock { state in
      if state.pending[call.key] === call { state.pending[call.key] = nil }
      if error == nil { state.answered.remember(call.key, at: .now) }
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
