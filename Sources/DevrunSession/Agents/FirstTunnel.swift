internal import DevrunCore
internal import DevrunSystem

/// The wait for the first tunnel to one of some pods. It has an end, a reason and a word: after a few seconds the user
/// reads what is waited for, in the words of whoever holds it up, and each new reason from then on.
struct FirstTunnel: Sendable {
  /// What is waited for, as `kind/name`.
  private let what: String
  private let reporter: any Reporter
  private let timeout: Duration
  private let endsWhenHopeless: Bool
  private let rhythm: WaitReasons.Rhythm

  /// - Parameters:
  ///   - what: what is waited for, as `kind/name`.
  ///   - endsWhenHopeless: whether one pod that will not come up by itself ends the wait. Of several pods others may.
  init(to what: String, context: SessionContext, endsWhenHopeless: Bool) {
    self.init(
      to: what, reporter: context.reporter, timeout: context.startTimeout, endsWhenHopeless: endsWhenHopeless)
  }

  init(
    to what: String, reporter: any Reporter, timeout: Duration, endsWhenHopeless: Bool,
    rhythm: WaitReasons.Rhythm = WaitReasons.Rhythm()
  ) {
    self.what = what
    self.reporter = reporter
    self.timeout = timeout
    self.endsWhenHopeless = endsWhenHopeless
    self.rhythm = rhythm
  }

  /// Takes a reason to wait, in words.
  typealias Reason = @Sendable (String) -> Void

  /// Waits.
  ///
  /// - Parameters:
  ///   - pods: the pods, which are followed already.
  ///   - others: other reasons to wait, as they come; it may throw what ends the wait.
  /// - Throws: `SessionError.agentFailed`, `.startTimedOut`; the error of a port-forward that is refused.
  func wait(
    for pods: AgentPods, others: @escaping @Sendable (_ reason: @escaping Reason) async throws -> Void = { _ in }
  ) async throws {
    let reasons = WaitReasons(what: what, reporter: reporter)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      defer { group.cancelAll() }
      group.addTask {
        try await self.attached(pods, reasons)
        return true
      }
      group.addTask {
        try await others { reasons.add($0, of: what) }
        return false
      }
      group.addTask {
        await reasons.ask(pods, rhythm)
        return false
      }
      group.addTask {
        try await Task.sleep(for: timeout)
        for (pod, why) in await pods.explainedProblems() { reasons.add(why, of: "pod/\(pod)") }
        throw SessionError.startTimedOut(what, after: timeout, why: reasons.all)
      }
      while let isUp = try await group.next() { if isUp { return } }
    }
  }

  private func attached(_ pods: AgentPods, _ reasons: WaitReasons) async throws {
    for await event in pods.events.stream() {
      switch event {
      case .attached: return
      case .waiting(let pod, let why): reasons.add(why, of: "pod/\(pod)")
      case .hopeless(let pod, let why):
        reasons.add(why, of: "pod/\(pod)")
        if endsWhenHopeless { throw SessionError.agentFailed(pod: pod, why: why) }
      case .rejected(let pod, let why):
        reasons.add(why, of: "pod/\(pod)")
        if endsWhenHopeless { throw SessionError.agentFailed(pod: pod, why: why) }
      case .unreachable(let pod, let error):
        reasons.add("\(error)", of: "pod/\(pod)")
        if endsWhenHopeless { throw error }
      case .troubled(let why): reasons.add(why, of: "the API server")
      case .gone(let pod):
        if endsWhenHopeless { throw SessionError.agentFailed(pod: pod, why: "it was deleted") }
      case .recovered: continue
      }
    }
    throw CancellationError()
  }
}

extension AgentPods {
  /// Reports what happens to the pods while the command runs, until they are not followed any more.
  nonisolated func reportTrouble(to reporter: any Reporter) async {
    for await event in events.stream() {
      switch event {
      case .attached: continue
      case .waiting, .gone: continue
      case .hopeless(let pod, let why):
        reporter.report(.warning(SessionError.agentFailed(pod: pod, why: why).message))
      case .rejected(let pod, let why): reporter.report(.detail("pod/\(pod): \(why)"))
      case .unreachable(let pod, let error):
        reporter.report(.warning(ErrorMessage("pod/\(pod) cannot be reached", why: "\(error)")))
      case .troubled(let why):
        reporter.report(.warning(ErrorMessage("waiting for the API server", why: why)))
      case .recovered: reporter.report(.fact("the API server answers again"))
      }
    }
  }
}
