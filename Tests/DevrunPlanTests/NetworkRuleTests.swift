import DevrunCore
import DevrunPlan
import Foundation
import Testing

@Suite("Rules of the redirect table")
struct NetworkRuleTests {
  private func table() throws -> RedirectTable {
    let table = RedirectTable(addresses: [IPAddress(127, 77, 0, 1)])
    table.add(rules: [
      NetworkRule(try #require(IPNetwork("10.20.0.0/16")), ports: [5432]),
      NetworkRule(try #require(IPNetwork("fd00::/64"))),
    ])
    return table
  }

  @Test(
    arguments: [
      ("10.20.1.1", 5432, true), ("10.20.1.1", 22, false), ("10.21.1.1", 5432, false), ("fd00::7", 22, true),
      ("fd00:0:0:1::7", 22, false), ("127.77.0.1", 1, true), ("127.77.0.2", 5432, false),
    ] as [(String, UInt16, Bool)])
  func `A rule redirects the ports of its network, and all ports if it names none`(
    address: String, port: UInt16, expected: Bool
  ) throws {
    let key = AddressKey(try #require(IPAddress(address)))
    #expect(try table().contains(key, port: port) == expected)
  }

  @Test func `Rules stay when the addresses change, and travel with the table`() throws {
    let table = try table()
    table.replace(addresses: [], networks: [])
    #expect(table.contains(AddressKey(IPAddress(10, 20, 1, 1)), port: 5432))
    let received = try JSONDecoder().decode(RedirectTable.self, from: try JSONEncoder().encode(table))
    #expect(received.contains(AddressKey(IPAddress(10, 20, 1, 1)), port: 5432))
    #expect(!received.contains(AddressKey(IPAddress(10, 20, 1, 1)), port: 22))
  }

  @Test(arguments: ["127.0.0.1", "127.255.0.1", "0.0.0.0", "::1", "::"])
  func `This machine's localhost is in no rule, however large its network`(address: String) throws {
    let table = RedirectTable()
    table.add(rules: try ["0.0.0.0/0", "::/0"].map { NetworkRule(try #require(IPNetwork($0))) })
    #expect(!table.contains(AddressKey(try #require(IPAddress(address))), port: 80))
    #expect(table.contains(AddressKey(IPAddress(128, 0, 0, 1)), port: 80))
    #expect(table.contains(AddressKey(IPAddress(126, 255, 255, 255)), port: 80))
    #expect(table.contains(AddressKey(try #require(IPAddress("::2"))), port: 80))
  }

  @Test(
    arguments: [
      ("::/0", "10.1.2.3", false), ("::/0", "fd00::1", true), ("::/64", "10.1.2.3", false), ("::/64", "::2", true),
      ("::/96", "10.1.2.3", false), ("0.0.0.0/0", "10.1.2.3", true), ("0.0.0.0/0", "fd00::1", false),
      ("0.0.0.0/0", "::ffff:10.1.2.3", true), ("::/0", "::ffff:10.1.2.3", false),
    ])
  func `A network has no address of the other family`(network: String, address: String, expected: Bool) throws {
    let rule = NetworkRule(try #require(IPNetwork(network)))
    #expect(rule.matches(AddressKey(try #require(IPAddress(address))), port: 80) == expected)
  }

  @Test func `Exceptions are left out of a network, and not of the rule for one address`() throws {
    let machine = [IPAddress(10, 0, 0, 5), try #require(IPAddress("fd00::5"))]
    let rules = try ["10.0.0.0/8", "fd00::/64", "10.0.0.5/32"].map {
      NetworkRule(try #require(IPNetwork($0)), except: Set(machine))
    }
    let received = try JSONDecoder().decode([NetworkRule].self, from: try JSONEncoder().encode(rules))
    #expect(received == rules)
    for rules in [rules, received] {
      #expect(!rules[0].matches(AddressKey(machine[0]), port: 80))
      #expect(rules[0].matches(AddressKey(IPAddress(10, 0, 0, 6)), port: 80))
      #expect(!rules[1].matches(AddressKey(machine[1]), port: 80))
      #expect(rules[2].matches(AddressKey(machine[0]), port: 80))
    }
  }
}
