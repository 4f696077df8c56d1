import DevrunCore
import Testing

@testable import DevrunView

@Suite struct PairingTests {
  private typealias Table = PairingTable<String, Int>

  private let key = PairingKey(
    acceptor: IPEndpoint(IPAddress(127, 0, 0, 2), port: 4000), local: IPEndpoint(IPAddress(127, 0, 0, 1), port: 5000))
  private let otherKey = PairingKey(
    acceptor: IPEndpoint(IPAddress(127, 0, 0, 3), port: 4000), local: IPEndpoint(IPAddress(127, 0, 0, 1), port: 5000))

  private func ticket<A, B>(_ outcome: Table.Outcome<A, B>) throws -> Int {
    guard case .waits(let ticket, _) = outcome else { throw Unexpected() }
    return ticket
  }

  private struct Unexpected: Error {}

  @Test func `A connection and its announcement are paired, whichever comes first`() throws {
    var table = Table()
    _ = try ticket(table.accept("connection", at: key))
    guard case .paired("connection") = table.announce(1, at: key) else { throw Unexpected() }
    _ = try ticket(table.announce(2, at: key))
    guard case .paired(2) = table.accept("later", at: key) else { throw Unexpected() }
    // Both are used up.
    _ = try ticket(table.accept("again", at: key))
  }

  @Test func `The same local endpoint at another listener is another connection`() throws {
    var table = Table()
    _ = try ticket(table.accept("connection", at: key))
    _ = try ticket(table.announce(1, at: otherKey))
  }

  @Test func `An expiry returns a waiting connection or announcement only if it was not replaced`() throws {
    var table = Table()
    let old = try ticket(table.accept("old", at: key))
    guard case .waits(let new, "old") = table.accept("new", at: key) else { throw Unexpected() }
    #expect(table.expireConnection(at: key, ticket: old) == nil)
    #expect(table.expireConnection(at: key, ticket: new) == "new")
    #expect(table.expireConnection(at: key, ticket: new) == nil)
    let announced = try ticket(table.announce(1, at: key))
    guard case .waits(let again, 1) = table.announce(2, at: key) else { throw Unexpected() }
    #expect(table.expireAnnouncement(at: key, ticket: announced) == nil)
    #expect(table.expireAnnouncement(at: key, ticket: again) == 2)
  }

  @Test func `All connections that wait for an announcement can be removed together`() throws {
    var table = Table()
    _ = try ticket(table.accept("one", at: key))
    _ = try ticket(table.accept("two", at: otherKey))
    #expect(Set(table.removeAllConnections()) == ["one", "two"])
    #expect(table.removeAllConnections().isEmpty)
  }
}
