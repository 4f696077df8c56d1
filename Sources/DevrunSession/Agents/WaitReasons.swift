internal import DevrunCore
internal import DevrunSystem
internal import Synchronization

/// Why a pod, or a workload's pods, are still waited for. Each reason is reported once, and none before it is time to speak.
final class WaitReasons: Sendable {
  /// When the user reads what is waited for.
  struct Rhythm: Sendable {
    /// How long nothing is printed.
    var silence = Duration.seconds(3)
    /// After how long the words that are in no pod's status are looked up again: a volume that is still in use somewhere
    /// else may be the second reason after an image that took its time.
    var interval = Duration.seconds(15)
  }

  private struct State {
    var current: [String: String] = [:]
    var told: Set<String> = []
    var isSpeaking = false
    var isOver = false
  }

  private let what: String
  private let reporter: any Reporter
  private let state = Mutex(State())

  /// - Parameters:
  ///   - what: what is waited for, as `kind/name`.
  ///   - reporter: who gets the news.
  init(what: String, reporter: any Reporter) {
    self.what = what
    self.reporter = reporter
  }

  /// All reasons, for an error.
  var all: [String] {
    state.withLock { state in Set(state.current.map { "\($0.key): \($0.value)" }).sorted() }
  }

  /// Takes a reason.
  ///
  /// - Parameters:
  ///   - why: the reason, in the words of whoever holds it up.
  ///   - whom: what it is about.
  func add(_ why: String, of whom: String) {
    let isNews = state.withLock { state in
      state.current[whom] = why
      return state.isSpeaking && !state.isOver && state.told.insert(why).inserted
    }
    if isNews { report(why) }
  }

  /// Nothing is waited for any more, and nothing more is reported.
  func finish() { state.withLock { $0.isOver = true } }

  /// Reports what some pods wait for, when it is time and then at intervals, until nothing is waited for any more or the
  /// task is cancelled.
  ///
  /// - Parameter mend: called each time, after the words, since it may take long.
  func ask(_ pods: AgentPods, _ rhythm: Rhythm, mend: () async -> Void = {}) async {
    var pause = rhythm.silence
    while true {
      do { try await Task.sleep(for: pause) } catch { return }
      if state.withLock({ $0.isOver }) { return }
      for (pod, why) in await pods.explainedProblems() { add(why, of: "pod/\(pod)") }
      speak()
      await mend()
      pause = rhythm.interval
    }
  }

  /// Reports the present reasons. From the first call on, reasons are reported as they come.
  private func speak() {
    let (isFirst, reasons) = state.withLock { state -> (Bool, [String]) in
      guard !state.isSpeaking, !state.isOver else { return (false, []) }
      state.isSpeaking = true
      return (true, state.current.values.sorted().filter { state.told.insert($0).inserted })
    }
    if isFirst, reasons.isEmpty { reporter.report(.waiting("waiting for \(what)")) }
    for reason in reasons { report(reason) }
  }

  private func report(_ why: String) { reporter.report(.waiting("waiting for \(what): \(why)")) }
}
