import DevrunCore
import DevrunKube
import Testing

@testable import DevrunView

@Suite("Names in the private hosts file")
struct HostsFileNamesTests {
  /// The addresses of a name in a hosts file.
  private func addresses(_ name: String, in text: String) -> [String] {
    HostsFile(reading: text).machine.filter { $0.names.contains(name) }.map(\.address)
  }

  private func book(_ services: KubeObject..., domain: String = "cluster.local") -> AddressBook {
    var book = AddressBook(namespace: "shop", domain: domain)
    for service in services { book.update(service) }
    return book
  }

  private static let web = HostsFileTests.service("web", "shop", "10.0.0.2")

  @Test func `A complete name with a dot at its end means the same as without`() throws {
    var book = book(Self.web, domain: "example.internal")
    book.request(host: "api.example.com")
    let text = HostsFileTests.file().text(book)
    for name in ["web.shop.svc.example.internal", "web.shop.svc.cluster.local", "api.example.com"] {
      #expect(addresses(name + ".", in: text) == addresses(name, in: text))
      #expect(addresses(name, in: text).count == 1)
    }
    #expect(addresses("web.", in: text) == [])
    #expect(addresses("web.shop.", in: text) == [])
  }

  @Test func `Each name of the cluster has an IPv6 address that leads to the same place`() throws {
    let book = book(Self.web)
    let text = HostsFileTests.file(hasIPv6: true).text(book)
    let found = addresses("web.shop.svc", in: text).compactMap { IPAddress($0) }
    #expect(found.map(\.isIPv4) == [true, false])
    let six = try #require(found.last)
    #expect(LocalAddresses.network6?.contains(six) == true)
    #expect(book.destination(of: six) == "10.0.0.2")
    #expect(LocalAddresses.address4(of: six) == found.first)
    #expect(LocalAddresses.address4(of: IPAddress(127, 77, 0, 1)) == nil)
    // Of one's own network that is not known any more.
    #expect(book.destination(of: try #require(IPAddress("fec0:6465:7672:756e::1.2.3.4"))) == nil)
  }

  @Test func `A service that has IPv6 addresses only is reached by both local addresses`() throws {
    let book = book(["metadata": ["name": "six", "namespace": "shop"], "spec": ["clusterIPs": ["fd00:10::7"]]])
    let text = HostsFileTests.file(hasIPv6: true).text(book)
    let found = addresses("six", in: text).compactMap { IPAddress($0) }
    #expect(found.map { book.destination(of: $0) } == ["fd00:10::7", "fd00:10::7"])
  }

  @Test func `No line is longer than musl reads at once, and no name is lost`() throws {
    let long = String(repeating: "s", count: 63)
    let namespace = String(repeating: "n", count: 63)
    var book = AddressBook(namespace: namespace, domain: "cluster.local")
    book.update(HostsFileTests.service(long, namespace, "10.0.0.2"))
    let text = HostsFileTests.file(hasIPv6: true).text(book)
    #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count <= 510 })
    let entry = try #require(book.entries.values.first)
    for name in entry.names { #expect(addresses(name, in: text).first == entry.local.description) }
    #expect(addresses("\(long).\(namespace).svc.cluster.local.", in: text).count == 2)
  }

  private static let pod: KubeObject = [
    "metadata": ["name": "web-devrun-x1", "namespace": "shop"],
    "spec": [
      "subdomain": "web",
      "hostAliases": [
        ["ip": "10.9.8.7", "hostnames": ["legacy", "web"]], ["ip": "127.0.0.1", "hostnames": ["mock.local"]],
        ["ip": "no address", "hostnames": ["x"]],
        ["ip": "10.9.8.6", "hostnames": ["a b", "c\n1.2.3.4 google.com", ""]],
      ],
    ],
  ]

  @Test func `The pod's hostAliases are in the file, and come before a service of the same name`() {
    let pod = PodHosts(of: Self.pod, domain: "cluster.local")
    let text = HostsFileTests.file(pod: pod).text(book(Self.web))
    #expect(addresses("legacy", in: text) == ["10.9.8.7"])
    #expect(addresses("web", in: text) == ["10.9.8.7"])
    #expect(addresses("mock.local", in: text) == ["127.0.0.1"])
    #expect(addresses("web.shop", in: text).first?.hasPrefix("127.77.") == true)
    #expect(!text.contains("google.com"))
    #expect(pod.redirected == [IPAddress(10, 9, 8, 7)])
  }

  @Test func `The pod's own host name means this machine, and this machine's names stay its own`() {
    var pod = PodHosts(of: Self.pod, domain: "cluster.local")
    let name = "web-devrun-x1"
    #expect(pod.own == ["\(name).web.shop.svc.cluster.local", name])
    pod.aliases.append(HostsFile.Line(address: "10.9.8.5", names: ["laptop", name, "localhost"]))
    let text = HostsFileTests.file(pod: pod).text(book(Self.web))
    for name in pod.own { #expect(addresses(name, in: text) == ["127.0.0.1"]) }
    #expect(addresses("laptop", in: text) == ["127.0.1.1"])
    #expect(!text.contains("10.9.8.5"))
    // The canonical name of loopback stays.
    #expect(HostsFile(reading: text).machine.first?.names.first == "localhost")
  }

  @Test func `The host name of a pod is the one that its spec says, or its node's`() {
    var pod = Self.pod
    pod.spec["hostname"] = "web-0"
    #expect(PodHosts(of: pod, domain: "cluster.local").own == ["web-0.web.shop.svc.cluster.local", "web-0"])
    pod.spec["hostNetwork"] = true
    pod.spec["nodeName"] = "n1"
    #expect(PodHosts(of: pod, domain: "cluster.local").own == [])
    #expect(PodHosts(of: pod, domain: "cluster.local").node == "n1")
    pod.spec["nodeName"] = "192.168.1.1"
    #expect(PodHosts(of: pod, domain: "cluster.local").node == nil)
  }
}
