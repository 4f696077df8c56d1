import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Testing

@Suite("Plans on their way to another process")
struct CodingTests {
  private func passed<Value: Codable>(_ value: Value) throws -> Value {
    try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
  }

  @Test func `A launch plan arrives as it was sent, to the byte`() throws {
    var plan = LaunchPlan(
      executable: RawString([0x2f, 0xff]), arguments: ["a", ""],
      environment: EnvironmentVariables([
        .init(name: "B", value: RawString([0xfe]), origin: .container), .init(name: "A", value: "", origin: .option),
      ]), isolation: .trap, hostsFile: "/h", mounts: [.init(source: "/s", target: "/t")], forcesVolumes: true,
      hiddenPaths: ["/run/nscd"], redirectsConnections: false, listenPorts: [8080, 443])
    plan.podAddresses = [IPAddress(10, 244, 0, 7), try #require(IPAddress("fd00::7"))]
    #expect(try passed(plan) == plan)
  }

  @Test func `A redirect table arrives with its addresses and networks`() throws {
    let table = RedirectTable(
      addresses: [IPAddress(127, 77, 0, 1), try #require(IPAddress("fd00::1"))],
      networks: [try #require(IPNetwork("10.96.0.0/12"))])
    let received = try passed(table)
    for text in ["127.77.0.1", "fd00::1", "10.100.0.1"] {
      #expect(received.contains(try #require(IPAddress(text))))
    }
    #expect(!received.contains(IPAddress(127, 77, 0, 2)))
  }

  @Test func `The outcome of a dial and the end of a process arrive as they were`() throws {
    for outcome in [DialOutcome.connected, .failed(.networkUnreachable), .undecided] {
      #expect(try passed(outcome) == outcome)
    }
    for status in [WaitStatus.exited(3), .killed(9, coreDumped: true)] { #expect(try passed(status) == status) }
    for choice in IsolationChoice.allCases { #expect(try passed(choice) == choice) }
  }

  @Test func `The candidates of a choice are the way that it names, and for automatic all, the best first`() {
    #expect(IsolationChoice.automatic.candidates == [.mount, .user, .trap])
    for isolation in Isolation.allCases {
      #expect(IsolationChoice(rawValue: isolation.rawValue)?.candidates == [isolation])
    }
  }
}
