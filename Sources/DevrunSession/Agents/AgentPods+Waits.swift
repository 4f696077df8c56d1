internal import DevrunCore
internal import DevrunSystem

extension AgentPods {
  /// Does something that takes until the session is up, unless a pod fails before that.
  ///
  /// - Throws: what `work` throws; `SessionError.agentFailed`; why a pod cannot be reached.
  nonisolated func whileHealthy(_ work: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask(operation: work)
      group.addTask { try await self.awaitFailure() }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Waits until the first tunnel is up.
  ///
  /// - Throws: `SessionError.agentFailed`; why a pod cannot be reached.
  nonisolated func awaitFirst() async throws {
    for await event in events.stream() {
      if case .attached = event { return }
      try Self.check(event)
    }
    throw CancellationError()
  }

  /// Reports pods that fail while the command runs, until the pods are not followed any more.
  nonisolated func watchOver() async {
    for await event in events.stream() {
      switch event {
      case .attached, .waiting, .rejected: continue
      case .hopeless(let pod, let why): reporter.report(.warning(SessionError.agentFailed(pod: pod, why: why).message))
      case .unreachable(let pod, let error):
        reporter.report(.warning(ErrorMessage("pod/\(pod) cannot be reached", why: "\(error)")))
      case .troubled(let why): reporter.report(.warning(ErrorMessage("waiting for the API server", why: why)))
      case .recovered: reporter.report(.fact("the API server answers again"))
      }
    }
  }

  /// Never returns but when the task is cancelled.
  private nonisolated func awaitFailure() async throws {
    for await event in events.stream() { try Self.check(event) }
    throw CancellationError()
  }

  private static func check(_ event: AgentEvent) throws {
    switch event {
    case .attached, .waiting, .rejected, .troubled, .recovered: return
    case .hopeless(let pod, let why): throw SessionError.agentFailed(pod: pod, why: why)
    case .unreachable(_, let error): throw error
    }
  }
}
