import DevrunCore
import DevrunKube
import Testing

@testable import DevrunView

@Suite("Objects that name addresses")
struct AddressGroupTests {
  /// An EndpointSlice of a service in namespace `shop`.
  static func slice(_ name: String, of service: String, _ endpoints: JSONValue..., type: String = "IPv4") -> KubeObject
  {
    [
      "kind": "EndpointSlice",
      "metadata": [
        "name": .string(name), "namespace": "shop", "labels": ["kubernetes.io/service-name": .string(service)],
      ],
      "addressType": .string(type), "endpoints": .array(endpoints),
    ]
  }

  /// An endpoint of a slice.
  static func endpoint(_ ip: String, pod: String, hostname: String? = nil, isReady: Bool = true) -> JSONValue {
    var endpoint: JSONValue = [
      "addresses": [.string(ip)], "conditions": ["ready": .bool(isReady)], "nodeName": "n1",
      "targetRef": ["kind": "Pod", "name": .string(pod), "namespace": "shop"],
    ]
    if let hostname { endpoint["hostname"] = .string(hostname) }
    return endpoint
  }

  @Test func `An EndpointSlice and the Endpoints of the same service name the same addresses`() throws {
    let slice = try #require(
      AddressGroup(
        Self.slice(
          "db-x7k2p", of: "db", Self.endpoint("10.1.0.4", pod: "db-0", hostname: "db-0"),
          Self.endpoint("10.1.0.5", pod: "db-1", hostname: "db-1", isReady: false))))
    var first = PodAddressesTests.address("10.1.0.4", "Pod", "db-0", node: "n1")
    var second = PodAddressesTests.address("10.1.0.5", "Pod", "db-1", node: "n1")
    first["hostname"] = "db-0"
    second["hostname"] = "db-1"
    let endpoints = try #require(
      AddressGroup([
        "kind": "Endpoints", "metadata": ["name": "db", "namespace": "shop"],
        "subsets": [["addresses": [first], "notReadyAddresses": [second]]],
      ]))
    #expect(slice.addresses == endpoints.addresses)
    #expect(slice.service == endpoints.service)
    #expect(slice.addresses.map(\.hostname) == ["db-0", "db-1"])
    #expect(slice.addresses.map(\.isReady) == [true, false])
    #expect(slice.addresses.map(\.pod) == ["shop/db-0", "shop/db-1"])
  }

  @Test func `A slice of an old server names the node in its topology`() {
    var endpoint = Self.endpoint("10.1.0.4", pod: "db-0")
    endpoint["nodeName"] = nil
    endpoint["topology"] = ["kubernetes.io/hostname": "n7"]
    #expect(AddressGroup(Self.slice("s", of: "db", endpoint))?.addresses.first?.node == "n7")
  }

  @Test func `A slice without endpoints, and one of names, have no addresses`() {
    #expect(AddressGroup(Self.slice("s", of: "db"))?.addresses == [])
    var empty = Self.slice("s", of: "db")
    empty.json["endpoints"] = .null
    #expect(AddressGroup(empty)?.addresses == [])
    let names = Self.slice("s", of: "db", ["addresses": ["10.1.0.4"]], type: "FQDN")
    #expect(AddressGroup(names)?.addresses == [])
    #expect(AddressGroup(["kind": "EndpointSlice"]) == nil)
  }

  /// A Table of pods as the server sends it; without definitions as in a watch after its first event.
  static func table(_ rows: [(name: String, ip: String)], hasColumns: Bool = true) -> KubeObject {
    let names = ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"]
    return [
      "kind": "Table",
      "columnDefinitions": hasColumns ? .array(names.map { ["name": .string($0)] }) : .null,
      "rows": .array(
        rows.map { row in
          [
            "cells": [.string(row.name), "1/1", "Running", 0, "4s", .string(row.ip), "n1", "<none>", "<none>"],
            "object": .null,
          ]
        }),
    ]
  }

  @Test func `Pods are read from the columns that kubectl prints, which a connection defines once`() {
    var table = PodTable(namespace: "shop")
    let first = table.event(.snapshot([Self.table([("a", "10.1.0.4")]), Self.table([("b", "<none>")])]))
    #expect(first.groups.map(\.addresses.first?.ip) == [IPAddress(10, 1, 0, 4), nil])
    var pods = PodAddresses()
    #expect(pods.apply(first, from: "shop") == AddressChanges(inserted: [IPAddress(10, 1, 0, 4)]))
    let later = table.event(.modified(Self.table([("b", "10.1.0.5")], hasColumns: false)))
    #expect(pods.apply(later, from: "shop") == AddressChanges(inserted: [IPAddress(10, 1, 0, 5)]))
    let gone = table.event(.deleted(Self.table([("a", "10.1.0.4")], hasColumns: false)))
    #expect(pods.apply(gone, from: "shop") == AddressChanges(removed: [IPAddress(10, 1, 0, 4)]))
  }

  @Test func `Pods of one name in two namespaces are two pods`() {
    var table = PodTable(namespace: nil)
    var pods = PodAddresses()
    _ = pods.apply(table.event(.snapshot([Self.table([("web-0", "10.1.0.4"), ("web-0", "10.1.0.5")])])), from: nil)
    #expect(pods.addresses == [IPAddress(10, 1, 0, 4), IPAddress(10, 1, 0, 5)])
    let gone = table.event(.deleted(Self.table([("web-0", "10.1.0.4")])))
    #expect(pods.apply(gone, from: nil) == AddressChanges(removed: [IPAddress(10, 1, 0, 4)]))
  }

  @Test func `A row that is no pod's, and an object that is no Table, are passed over`() {
    var table = PodTable(namespace: nil)
    let broken: KubeObject = ["rows": [["cells": ["a"]], ["cells": .null], [:]]]
    #expect(table.event(.snapshot([broken])).groups.isEmpty)
    var short = Self.table([])
    short.json["rows"] = broken.json["rows"]
    #expect(table.event(.added(short)).groups.isEmpty)
  }

  @Test func `A pod behind a service and in the list of pods is one pod, and a node's address stays out`() {
    var table = PodTable(namespace: nil)
    var pods = PodAddresses()
    let listed = table.event(.snapshot([Self.table([("w", "10.1.0.4"), ("proxy", "192.168.1.2")])]))
    _ = pods.apply(listed, from: nil)
    _ = pods.exclude([IPAddress(192, 168, 1, 2)])
    _ = pods.apply(
      AddressEvent(.snapshot([Self.slice("s", of: "web", Self.endpoint("10.1.0.4", pod: "w"))])), from: nil)
    #expect(pods.addresses == [IPAddress(10, 1, 0, 4)])
  }
}
