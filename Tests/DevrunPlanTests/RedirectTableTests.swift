import DevrunCore
import DevrunPlan
import Testing

@Suite("Redirect table")
struct RedirectTableTests {
  @Test(
    arguments: [
      ("127.5.0.1", true), ("127.5.0.2", false), ("10.96.0.0", true), ("10.111.255.255", true), ("10.112.0.0", false),
      ("10.95.255.255", false), ("fd00::1", true), ("fd00:0:1::", false), ("2001:db8::7", true), ("2001:db8::8", false),
      ("::ffff:127.5.0.1", true), ("::127.5.0.1", false),
    ])
  func `A redirect table matches single addresses and networks`(text: String, expected: Bool) throws {
    let table = RedirectTable(
      addresses: try ["127.5.0.1", "2001:db8::7"].map { try #require(IPAddress($0)) },
      networks: try ["10.97.3.4/12", "fd00::/48"].map { try #require(IPNetwork($0)) })
    #expect(table.contains(try #require(IPAddress(text))) == expected)
  }

  @Test func `A redirect table changes while it is used`() {
    let table = RedirectTable()
    let address = IPAddress(127, 5, 0, 1)
    #expect(!table.contains(address))
    table.replace(addresses: [address], networks: [])
    #expect(table.contains(address))
    table.replace(addresses: [], networks: [])
    #expect(!table.contains(address))
  }

  @Test func `A network of prefix length 0 matches all addresses of its family alone`() throws {
    let table = RedirectTable(networks: [try #require(IPNetwork("0.0.0.0/0"))])
    #expect(table.contains(IPAddress(1, 2, 3, 4)))
    #expect(!table.contains(try #require(IPAddress("2001:db8::1"))))
  }
}
