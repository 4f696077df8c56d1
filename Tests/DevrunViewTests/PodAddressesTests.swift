import DevrunCore
import DevrunKube
import Testing

@testable import DevrunView

@Suite("Addresses of pods")
struct PodAddressesTests {
  /// An address of an Endpoints object.
  static func address(_ ip: String, _ kind: String? = "Pod", _ name: String = "", node: String? = nil) -> JSONValue {
    var address: JSONValue = ["ip": .string(ip)]
    if let kind { address["targetRef"] = ["kind": .string(kind), "name": .string(name), "namespace": "shop"] }
    if let node { address["nodeName"] = .string(node) }
    return address
  }

  static func endpoints(_ name: String, namespace: String = "shop", _ addresses: JSONValue...) -> KubeObject {
    [
      "metadata": ["name": .string(name), "namespace": .string(namespace)],
      "subsets": [["addresses": .array(addresses)]],
    ]
  }

  struct Example: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var endpoints: [KubeObject]
    var excluded: [String] = []
    var expected: [String]
  }

  static let examples = [
    Example(
      testDescription: "pods of their own network",
      endpoints: [endpoints("kafka", address("10.1.0.4", "Pod", "kafka-0"), address("10.1.0.5", "Pod", "kafka-1"))],
      expected: ["10.1.0.4", "10.1.0.5"]),
    Example(
      testDescription: "a pod behind two services",
      endpoints: [
        endpoints("web", address("10.1.0.4", "Pod", "w")), endpoints("www", address("10.1.0.4", "Pod", "w")),
      ],
      expected: ["10.1.0.4"]),
    Example(
      testDescription: "the API server's own Endpoints",
      endpoints: [endpoints("kubernetes", namespace: "default", address("192.168.1.2", nil))], expected: []),
    Example(
      testDescription: "an API server's node that a pod is on, too",
      endpoints: [
        endpoints("kubernetes", namespace: "default", address("192.168.1.2", nil)),
        endpoints("etcd", address("192.168.1.2", "Pod", "etcd-a")),
      ], expected: []),
    Example(
      testDescription: "kubelets' Endpoints",
      endpoints: [
        endpoints("kubelet", address("192.168.1.3", "Node", "n1")),
        endpoints("metrics", address("192.168.1.3", "Pod", "exporter-a"), address("10.1.0.9", "Pod", "m")),
      ], expected: ["10.1.0.9"]),
    Example(
      testDescription: "two pods that share a node's network",
      endpoints: [
        endpoints("exporter", address("192.168.1.4", "Pod", "exporter-b")),
        endpoints("ingress", address("192.168.1.4", "Pod", "ingress-b")),
      ], expected: []),
    Example(
      testDescription: "a pod on a node that is known otherwise",
      endpoints: [endpoints("exporter", address("192.168.1.5", "Pod", "exporter-c"), address("10.1.0.7", "Pod", "x"))],
      excluded: ["192.168.1.5"], expected: ["10.1.0.7"]),
    Example(
      testDescription: "addresses outside of the cluster that somebody has written down",
      endpoints: [endpoints("db", address("172.16.0.9", nil), address("127.0.0.1", "Pod", "p"))], expected: []),
  ]

  @Test(arguments: examples)
  func `Only addresses that belong to a pod alone are redirected`(_ example: Example) {
    var pods = PodAddresses()
    _ = pods.exclude(example.excluded.compactMap { IPAddress($0) })
    let changes = pods.apply(AddressEvent(.snapshot(example.endpoints)), from: nil)
    #expect(Set(changes.inserted) == pods.addresses)
    #expect(pods.addresses == Set(example.expected.compactMap { IPAddress($0) }))
  }

  @Test func `Addresses follow the changes of Endpoints, and a snapshot of a namespace concerns it alone`() {
    var pods = PodAddresses()
    func apply(_ event: WatchEvent, _ namespace: String) -> AddressChanges {
      pods.apply(AddressEvent(event), from: namespace)
    }
    let (one, two, three) = (IPAddress(10, 1, 0, 1), IPAddress(10, 1, 0, 2), IPAddress(10, 1, 0, 3))
    _ = apply(.snapshot([Self.endpoints("a", Self.address("10.1.0.1", "Pod", "a"))]), "shop")
    _ = apply(.snapshot([Self.endpoints("b", namespace: "lab", Self.address("10.1.0.2", "Pod", "b"))]), "lab")
    #expect(pods.addresses == [one, two])
    let moved = apply(.modified(Self.endpoints("a", Self.address("10.1.0.3", "Pod", "a"))), "shop")
    #expect(moved == AddressChanges(inserted: [three], removed: [one]))
    #expect(apply(.snapshot([]), "shop") == AddressChanges(removed: [three]))
    #expect(pods.addresses == [two])
    #expect(apply(.deleted(Self.endpoints("b", namespace: "lab")), "lab") == AddressChanges(removed: [two]))
    #expect(pods.addresses == [])
  }

  @Test func `An address that a second pod gets is taken out, and comes back when the first has gone`() {
    var pods = PodAddresses()
    func apply(_ event: WatchEvent) -> AddressChanges { pods.apply(AddressEvent(event), from: nil) }
    let address = IPAddress(10, 1, 0, 1)
    _ = apply(.added(Self.endpoints("a", Self.address("10.1.0.1", "Pod", "a"))))
    let second = Self.endpoints("b", Self.address("10.1.0.1", "Pod", "b"))
    #expect(apply(.added(second)) == AddressChanges(removed: [address]))
    #expect(apply(.deleted(Self.endpoints("a"))) == AddressChanges(inserted: [address]))
    #expect(pods.exclude([address]) == AddressChanges(removed: [address]))
    #expect(apply(.modified(second)) == AddressChanges())
  }

  @Test func `The addresses of nodes are read from the pods on them`() {
    let pods: [KubeObject] = [
      ["status": ["hostIP": "192.168.1.2", "podIP": "192.168.1.2"]],
      ["status": ["hostIPs": [["ip": "192.168.1.3"], ["ip": "fd00::3"]], "podIP": "10.1.0.4"]],
      ["status": ["phase": "Pending"]],
    ]
    #expect(
      NodeAddresses.hostAddresses(of: pods)
        == Set(["192.168.1.2", "192.168.1.3", "fd00::3"].compactMap { IPAddress($0) }))
  }

  @Test func `This machine's addresses include loopback`() throws {
    #expect(try MachineAddresses.read().contains(IPAddress(127, 0, 0, 1)))
  }
}
