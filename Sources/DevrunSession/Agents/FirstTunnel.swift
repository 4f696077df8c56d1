internal import DevrunCore
internal import DevrunSystem
internal import DevrunWorkload
internal import Synchronization

/// The wait for the first tunnel to one of some pods. It has an end, a reason and a word: after a few seconds the user
/// reads what is waited for, in the words of whoever holds it up, and each new reason from then on.
struct FirstTunnel: Sendable {
  /// How long nothing is printed.
  static let silence = Duration.seconds(3)

  /// What is waited for, as `kind/name`.
  private let what: String
  private let reporter: any Reporter
  private let timeout: Duration
  private let endsWhenHopeless: Bool

  /// - Parameters:
  ///   - what: what is waited for, as `kind/name`.
  ///   - endsWhenHopeless: whether one pod that will not come up by itself ends the wait. Of several pods others may.
  init(to what: String, context: SessionContext, endsWhenHopeless: Bool) {
    self.what = what
    self.reporter = context.reporter
    self.timeout = context.startTimeout
    self.endsWhenHopeless = endsWhenHopeless
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
    let reasons = Reasons(what: what, reporter: reporter)
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
        try await Task.sleep(for: Self.silence)
        for (pod, why) in await pods.explainedProblems() { reasons.add(why, of: "pod/\(pod)") }
        reasons.speak()
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

  private func attached(_ pods: AgentPods, _ reasons: Reasons) async throws {
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

  /// What is waited for. Each reason is reported once, and not before it is time to speak.
  private final class Reasons: Sendable {
    private struct State {
      var current: [String: String] = [:]
      var told: Set<String> = []
      var isSpeaking = false
    }

    private let what: String
    private let reporter: any Reporter
    private let state = Mutex(State())

    init(what: String, reporter: any Reporter) {
      self.what = what
      self.reporter = reporter
    }

    /// All reasons, for an error.
    var all: [String] {
      state.withLock { state in Set(state.current.map { "\($0.key): \($0.value)" }).sorted() }
    }

    func add(_ why: String, of whom: String) {
      let isNews = state.withLock { state in
        state.current[whom] = why
        return state.isSpeaking && state.told.insert(why).inserted
      }
      if isNews { report(why) }
    }

    /// Reports what is known, and from now on what comes.
    func speak() {
      let reasons = state.withLock { state in
        state.isSpeaking = true
        return state.current.values.sorted().filter { state.told.insert($0).inserted }
      }
      if reasons.isEmpty { reporter.report(.waiting("waiting for \(what)")) }
      for reason in reasons { report(reason) }
    }

    private func report(_ why: String) { reporter.report(.waiting("waiting for \(what): \(why)")) }
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
