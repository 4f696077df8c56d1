internal import DevrunCore
internal import DevrunSystem
internal import Synchronization

/// Reports what keeps agents' pods from being ready, each reason once: the cluster sends them nothing until they are.
final class UnreadyReport: Sendable {
  /// How long a pod may take from its tunnel to being ready before the user reads what keeps it from that.
  private static let patience = Duration.seconds(5)

  private let reporter: any Reporter
  private let told = Mutex<Set<String>>([])

  /// - Parameter reporter: who gets the news.
  init(reporter: any Reporter) { self.reporter = reporter }

  /// Follows pods until it is cancelled.
  func follow(_ pods: AgentPods) async {
    await withThrowingTaskGroup(of: Void.self) { group in
      for await unready in pods.unready.stream() {
        group.addTask { [self] in
          try await Task.sleep(for: Self.patience)
          guard await pods.unreadiness[unready.pod] == unready.why, isNew(unready.why) else { return }
          reporter.report(
            .waiting("pod/\(unready.pod) gets no traffic yet, since it is not ready: \(unready.why)"))
        }
      }
      group.cancelAll()
    }
  }

  private func isNew(_ why: String) -> Bool { told.withLock { $0.insert(why).inserted } }
}
