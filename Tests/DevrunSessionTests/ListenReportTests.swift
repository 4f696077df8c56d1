import DevrunConfig
import DevrunCore
import DevrunPlan
import Synchronization
import Testing

@testable import DevrunSession

@Suite("The moment at which traffic is taken", .timeLimit(.minutes(1)))
struct ListenReportTests {
  private struct Silent: Reporter {
    func report(_ event: ReportEvent) {}
  }

  /// How often the traffic is to be taken for some events.
  private static func count(_ events: [ListenEvent], isTaken: Bool = false) async -> Int {
    let (listeners, listener) = AsyncStream<ListenEvent>.makeStream()
    for event in events { listener.yield(event) }
    listener.finish()
    let count = Mutex(0)
    let report = ListenReport(of: [PortMapping(remote: 80, local: 8080)], isTaken: isTaken, reporter: Silent())
    await report.follow(listeners) { count.withLock { $0 += 1 } }
    return count.withLock { $0 }
  }

  @Test func `Traffic is taken when the command listens on a redirected port, and not before`() async {
    let others: [ListenEvent] = [
      .occupied(port: 8080, by: nil), .elsewhere(port: 9), .unreachable(port: 8080, address: "10.0.0.1"),
    ]
    #expect(await Self.count(others) == 0)
    #expect(await Self.count(others + [.began(port: 8080), .began(port: 8080)]) == 1)
    #expect(await Self.count([.began(port: 8080)], isTaken: true) == 0)
  }
}
