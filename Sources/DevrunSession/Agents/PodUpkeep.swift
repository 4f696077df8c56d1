internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem

/// Keeps the session's own pod in the cluster while the command runs: its node is drained, somebody deletes it, the kubelet
/// evicts it. Nothing else would make it anew, since it has no controller.
///
/// A request that fails is repeated for as long as the session lives.
struct PodUpkeep: Sendable {
  /// What is done in the cluster. Each step can be done again.
  struct Steps: Sendable {
    /// Brings back those of the agent's ConfigMaps that are gone.
    var restorePayload: @Sendable () async throws -> Void
    /// Creates the pod, unless it is there.
    var create: @Sendable () async throws -> Void
    /// Deletes the pod, unless it is gone.
    var remove: @Sendable () async throws -> Void
  }

  /// The pod's name.
  var name: String
  /// What is done in the cluster.
  var steps: Steps
  /// Who gets the news.
  var reporter: any Reporter
  /// Learns whether the pod is there.
  var losses: Losses
  /// When the user reads what a pod that was made anew waits for.
  var rhythm = WaitReasons.Rhythm()
  /// The waits between attempts.
  var backoff = Backoff(first: .milliseconds(250), limit: .seconds(60))

  /// Works until the task is cancelled or the pod is not followed any more.
  ///
  /// - Parameter pods: follow the pod.
  /// - Throws: `CancellationError`
  func run(_ pods: AgentPods) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      var reasons: WaitReasons?
      for await event in pods.events.stream() {
        switch event {
        case .rejected:
          try await persistently("deleted", steps.remove)
        case .gone:
          losses.note("pod/\(name)")
          reporter.report(.warning(ErrorMessage("pod/\(name) was deleted; it is made anew")))
          try await persistently("made anew", makeAnew)
          guard reasons == nil else { continue }
          let new = WaitReasons(what: "pod/\(name)", reporter: reporter)
          reasons = new
          group.addTask { await new.ask(pods, rhythm) { await restorePayload() } }
        case .attached:
          losses.forget("pod/\(name)")
          guard let waited = reasons else { continue }
          waited.finish()
          reasons = nil
          reporter.report(.fact("pod/\(name) is up again"))
        case .waiting(let pod, let why): reasons?.add(why, of: "pod/\(pod)")
        case .hopeless, .unreachable, .troubled, .recovered: continue
        }
      }
      group.cancelAll()
    }
  }

  /// Creates the pod, with all that it needs. At the end of the session no pod is left: neither one whose creation was
  /// under way, which could be carried out after the deletion, nor the one that came of it.
  private func makeAnew() async throws {
    try await steps.restorePayload()
    try Task.checkCancellation()
    try await withoutCancellation { [steps] in try await steps.create() }
    guard Task.isCancelled else { return }
    try await withoutCancellation { [steps] in try await steps.remove() }
    throw CancellationError()
  }

  /// Whoever deletes all of a session deletes the pod first, so that the new pod may find its ConfigMaps gone.
  private func restorePayload() async {
    do {
      try await steps.restorePayload()
    } catch {
      if !Task.isCancelled { reporter.report(.detail("the agent's ConfigMaps cannot be looked after: \(error)")) }
    }
  }

  /// Takes a step again and again until it succeeds. Each new reason for which it does not is reported.
  private func persistently(_ done: String, _ step: @Sendable () async throws -> Void) async throws {
    var (backoff, last) = (backoff, "")
    while true {
      do {
        return try await step()
      } catch {
        try Task.checkCancellation()
        let words = "\(error)"
        if last != words {
          reporter.report(.warning(ErrorMessage("pod/\(name) cannot be \(done) yet", why: words)))
        }
        last = words
      }
      await backoff.pause()
      try Task.checkCancellation()
    }
  }
}
