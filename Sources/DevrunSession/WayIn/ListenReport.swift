internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import Synchronization

/// Reports on which ports a command listens, and when its traffic is to be taken.
final class ListenReport: Sendable {
  /// A server may listen on a port of its own or at another address first, so that such a listener counts only after a
  /// moment.
  private static let moment = Duration.seconds(2)

  private let words: Mutex<ListenWords>
  private let reporter: any Reporter

  /// - Parameters:
  ///   - ports: the redirected ports.
  ///   - isTaken: whether the traffic is taken already.
  ///   - reporter: who gets the news.
  init(of ports: [PortMapping], isTaken: Bool, reporter: any Reporter) {
    self.words = Mutex(ListenWords(ports: ports, isTaken: isTaken))
    self.reporter = reporter
  }

  /// Follows the events of a command until they end.
  ///
  /// - Parameter began: called at the first listener for which the traffic is to be taken.
  func follow(_ listeners: AsyncStream<ListenEvent>, began: @Sendable () -> Void) async {
    await withTaskGroup(of: Void.self) { group in
      for await event in listeners {
        switch event {
        case .elsewhere, .unreachable:
          group.addTask { [self] in
            do { try await Task.sleep(for: Self.moment) } catch { return }
            report(event)
          }
        case .began, .occupied, .forbidden:
          report(event)
          if case .began = event, words.withLock({ $0.takesTraffic() }) { began() }
        }
      }
      group.cancelAll()
    }
  }

  private func report(_ event: ListenEvent) {
    for report in words.withLock({ $0.reports(of: event) }) { reporter.report(report) }
  }
}
