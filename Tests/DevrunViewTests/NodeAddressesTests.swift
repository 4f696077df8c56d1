import DevrunCore
import DevrunKube
import Testing

@testable import DevrunView

@Suite("Addresses of nodes")
struct NodeAddressesTests {
  private static func endpoints(_ addresses: (ip: String, node: String?)...) -> KubeObject {
    let list = addresses.map { PodAddressesTests.address($0.ip, "Pod", "p", node: $0.node) }
    return ["metadata": ["name": "web", "namespace": "shop"], "subsets": [["addresses": .array(list)]]]
  }

  private static func pod(on node: String, _ ip: String) -> KubeObject {
    ["spec": ["nodeName": .string(node)], "status": ["hostIP": .string(ip)]]
  }

  private static func mustBeRead(_ nodes: inout NodeAddresses, before event: WatchEvent) -> Bool {
    nodes.mustBeRead(before: AddressEvent(event))
  }

  @Test func `Nodes are read before the first Endpoints, and again for an address on a node that is new`() {
    var nodes = NodeAddresses()
    #expect(Self.mustBeRead(&nodes, before: .snapshot([])))
    nodes.add([Self.pod(on: "n1", "192.168.1.1")])
    #expect(!Self.mustBeRead(&nodes, before: .added(Self.endpoints(("10.1.0.4", "n1"), ("10.1.0.5", "n1")))))
    // The cluster grows, and a pod on the new node shares its network.
    let grown = WatchEvent.modified(Self.endpoints(("10.1.0.4", "n1"), ("192.168.1.2", "n2")))
    #expect(Self.mustBeRead(&nodes, before: grown))
    nodes.add([Self.pod(on: "n2", "192.168.1.2")])
    #expect(nodes.addresses == [IPAddress(192, 168, 1, 1), IPAddress(192, 168, 1, 2)])
    #expect(!Self.mustBeRead(&nodes, before: grown))
    #expect(!Self.mustBeRead(&nodes, before: .modified(Self.endpoints(("10.2.0.7", "n2")))))
    #expect(!Self.mustBeRead(&nodes, before: .deleted(Self.endpoints(("10.3.0.7", "n3")))))
  }

  @Test func `Endpoints on a node that nobody may see ask for one read for each new address`() {
    var nodes = NodeAddresses()
    #expect(Self.mustBeRead(&nodes, before: .snapshot([Self.endpoints(("10.1.0.4", "n1"), ("10.1.0.5", nil))])))
    nodes.add([])
    #expect(!Self.mustBeRead(&nodes, before: .modified(Self.endpoints(("10.1.0.4", "n1")))))
    #expect(Self.mustBeRead(&nodes, before: .modified(Self.endpoints(("192.168.1.1", "n1")))))
    #expect(!Self.mustBeRead(&nodes, before: .modified(Self.endpoints(("192.168.1.1", "n1"), ("10.1.0.5", nil)))))
  }

  @Test func `The addresses of nodes are read from the columns that kubectl prints`() {
    var nodes = NodeAddresses()
    let names = ["Name", "Status", "Roles", "Age", "Version", "Internal-IP", "External-IP"]
    let cells: JSONValue = ["n1", "Ready", "<none>", "4d", "v1.20.2", "192.168.1.1", "<none>"]
    nodes.add(tables: [
      [
        "columnDefinitions": .array(names.map { ["name": .string($0)] }),
        "rows": [["cells": cells, "object": .null]],
      ]
    ])
    #expect(nodes.addresses == [IPAddress(192, 168, 1, 1)])
    _ = Self.mustBeRead(&nodes, before: .snapshot([]))
    #expect(!Self.mustBeRead(&nodes, before: .added(Self.endpoints(("10.1.0.4", "n1")))))
  }

  @Test func `Where other namespaces' nodes cannot be seen, an address on a node that is not known is no pod's`() {
    var nodes = NodeAddresses()
    let event = AddressEvent(
      .snapshot([Self.endpoints(("10.1.0.4", "n1"), ("192.168.1.2", "n2"), ("192.168.1.3", nil))]))
    func redirected() -> Set<String> {
      var pods = PodAddresses()
      _ = pods.exclude(nodes.addresses)
      _ = pods.apply(nodes.withoutDoubtfulPods(event), from: nil)
      return Set(pods.addresses.map(\.description))
    }
    nodes.add([Self.pod(on: "n1", "192.168.1.1")], isPartial: true)
    #expect(redirected() == ["10.1.0.4"])
    #expect(nodes.withoutDoubtfulPods(.update(event.groups)).groups == nodes.withoutDoubtfulPods(event).groups)
    // The node is asked about once, though it stays unknown.
    let asks = [nodes.mustBeRead(before: event), nodes.mustBeRead(before: event)]
    #expect(asks == [true, false])
    // All pods on their node's network were listed: what is on another node has a network of its own.
    nodes.add([Self.pod(on: "n1", "192.168.1.1")])
    #expect(redirected() == ["10.1.0.4", "192.168.1.2", "192.168.1.3"])
  }

  @Test func `Names of pods are kept though their addresses may be a node's`() throws {
    var nodes = NodeAddresses()
    nodes.add([], isPartial: true)
    let slice = AddressGroupTests.slice(
      "db-x", of: "db", AddressGroupTests.endpoint("10.1.0.4", pod: "db-0", hostname: "db-0"))
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    let fresh = book.apply(nodes.withoutDoubtfulPods(AddressEvent(.added(slice))), from: nil)
    #expect(fresh.map(\.hostname) == ["db-0"])
  }

  private struct Away: Error, CustomStringConvertible { var description: String }

  @Test func `What cannot be read is read again until it can, and each new error is reported once`() async throws {
    var failures = ["a", "a", "b"]
    var reported: [String] = []
    let value = try await ServiceWatch.persistently(pauses: Backoff(first: .milliseconds(1))) {
      if failures.isEmpty { return 7 }
      throw Away(description: failures.removeFirst())
    } onTrouble: { error in
      reported.append("\(error)")
    }
    #expect(value == 7)
    #expect(reported == ["a", "b"])
  }
}
