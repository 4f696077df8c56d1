import DevrunCore
import DevrunPlan
import Testing

@testable import DevrunLauncher

@Suite("What is reported of listeners")
struct ListenDecisionTests {
  private static let loopback = IPAddress(127, 0, 0, 1)

  private func listener(_ inode: UInt64, _ port: UInt16, on address: String = "127.0.0.1") throws -> TCPListener {
    TCPListener(address: try #require(IPAddress(address)), port: port, inode: inode)
  }

  private func decision(
    _ expected: Set<UInt16>, older: [TCPListener] = [], inherited: Set<UInt64> = []
  ) -> (decision: ListenDecision, events: [ListenEvent]) {
    var decision = ListenDecision(expected: expected)
    let events = decision.begin(with: older, inherited: inherited) { "owner of \($0.inode)" }
    return (decision, events)
  }

  @Test func `An expected port begins once, whether its listener was trapped or found`() throws {
    var (decision, events) = decision([80, 443])
    #expect(events == [])
    decision.trap(1)
    #expect(decision.found([]) == [])
    #expect(decision.awaits(1))
    #expect(decision.found([try listener(1, 80)]) == [.began(port: 80)])
    #expect(!decision.awaits(1) && decision.awaitsExpected)
    #expect(decision.found([try listener(1, 80), try listener(2, 443)]) == [.began(port: 443)])
    #expect(!decision.awaitsExpected)
    // It stops and starts again.
    #expect(decision.found([]) == [])
    decision.trap(3)
    #expect(decision.found([try listener(3, 80)]) == [])
  }

  @Test func `An older listener occupies its port until another one listens there`() throws {
    let old = [try listener(1, 80), try listener(2, 80, on: "::1"), try listener(3, 22)]
    var (decision, events) = decision([80, 443], older: old)
    #expect(events == [.occupied(port: 80, by: "owner of 1")])
    #expect(decision.found(old) == [])
    #expect(decision.found([try listener(4, 80)]) == [.began(port: 80)])
  }

  @Test func `The command makes an older listener its own by listening on it`() throws {
    let old = [try listener(1, 80)]
    var (decision, _) = decision([80], older: old)
    decision.trap(1)
    #expect(decision.found(old) == [.began(port: 80)])
  }

  @Test func `An inherited listener begins at once and hides an older one`() throws {
    let old = [try listener(1, 80), try listener(2, 80, on: "::1")]
    #expect(decision([80], older: old, inherited: [2]).events == [.began(port: 80)])
  }

  @Test func `Only the command's listeners are reported elsewhere, each port once`() throws {
    var (decision, _) = decision([80])
    #expect(decision.found([try listener(1, 5000)]) == [])
    decision.trap(1)
    #expect(decision.found([try listener(1, 5000)]) == [.elsewhere(port: 5000)])
    decision.trap(2)
    #expect(decision.found([try listener(2, 5000, on: "::1")]) == [])
    decision.trap(3)
    decision.giveUp(3)
    #expect(decision.found([try listener(3, 5001)]) == [])
  }

  @Test func `An expected port of an address that loopback connections do not reach is reported once`() throws {
    var (decision, _) = decision([80, 443])
    // Another process's, such as a resolver's.
    #expect(try decision.found([listener(1, 80, on: "127.0.0.53")]) == [])
    for socket in [2, 3, 4] as [UInt64] { decision.trap(socket) }
    let found = try decision.found([listener(2, 80, on: "127.0.0.2"), listener(3, 5000, on: "127.0.0.2")])
    #expect(found == [.unreachable(port: 80, address: "127.0.0.2")])
    #expect(try decision.found([listener(4, 80, on: "fd00::1")]) == [])
    #expect(decision.awaitsExpected)
    #expect(try decision.found([listener(5, 80)]) == [.began(port: 80)])
    // It listens on several addresses at once.
    for socket in [6, 7] as [UInt64] { decision.trap(socket) }
    #expect(try decision.found([listener(6, 443, on: "10.1.2.3"), listener(7, 443)]) == [.began(port: 443)])
  }

  @Test(arguments: [
    ("0.0.0.0", true), ("127.0.0.1", true), ("::", true), ("::1", true), ("::ffff:127.0.0.1", true),
    ("127.0.0.53", false), ("10.1.2.3", false), ("fd00::1", false), ("::2", false),
  ])
  func `A listener counts if connections to this machine's loopback addresses reach it`(
    address: String, counts: Bool
  ) throws {
    var (decision, _) = decision([80])
    decision.trap(2)
    let found = try decision.found([listener(1, 80, on: address), listener(2, 81, on: address)])
    #expect(!decision.awaits(2))
    #expect(found == (counts ? [.began(port: 80), .elsewhere(port: 81)] : []))
    let occupied = self.decision([80], older: [try listener(1, 80, on: address)]).events
    #expect(occupied == (counts ? [.occupied(port: 80, by: "owner of 1")] : []))
  }
}
