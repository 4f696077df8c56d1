import DevrunCore
import DevrunKube
import DevrunSystem
import Testing

@testable import DevrunView

@Suite("Hosts that no proxy reaches")
struct ProxyExceptionsTests {
  /// A cluster's services, as many as asked for in each namespace.
  private func services(
    _ counts: [String: Int], own: String, domain: String = "cluster.local"
  ) -> [AddressBook.Key: AddressBook.Entry] {
    var book = AddressBook(namespace: own, domain: domain)
    var next = 0
    for (namespace, count) in counts.sorted(by: { $0.key < $1.key }) {
      for number in 0..<count {
        next += 1
        book.update([
          "metadata": ["name": .string("service-\(number)"), "namespace": .string(namespace)],
          "spec": ["clusterIP": .string("10.96.\(next / 250).\(next % 250 + 1)")],
        ])
      }
    }
    return book.entries
  }

  private func hosts(_ exceptions: ProxyExceptions, _ environment: EnvironmentVariables) -> [String] {
    var environment = environment
    exceptions.extend(&environment)
    return (environment["NO_PROXY"]?.description ?? "").split(separator: ",").map(String.init)
  }

  @Test func `Suffixes stand for names, and networks for addresses`() {
    let exceptions = ProxyExceptions(
      services: services(["shop": 2, "team-a": 1, "app": 1], own: "shop", domain: "corp.internal"),
      namespace: "shop", domain: "corp.internal")
    #expect(
      hosts(exceptions, [:]) == [
        ".svc", ".cluster.local", ".corp.internal", "127.0.0.0/8", "10.96.0.0/29", ".team-a", "service-0",
        "service-0.shop", "service-1", "service-1.shop", "service-0.app",
      ])
  }

  @Test func `A namespace that may be a public domain is no suffix`() {
    let exceptions = ProxyExceptions(
      services: services(["dev": 1, "xn--p1ai": 1, "prod1": 1], own: "prod1"), namespace: "prod1",
      domain: "cluster.local")
    #expect(exceptions.suffixes.filter { $0.hasPrefix(".") } == [".svc", ".cluster.local", ".prod1"])
    #expect(exceptions.names == ["service-0", "service-0.dev", "service-0.xn--p1ai"])
  }

  @Test
  func `With 5,000 services, NO_PROXY has less than 8 KiB, and begins with the names that the environment mentions`() {
    let own = services(["shop": 3000, "other": 2000], own: "shop")
    let exceptions = ProxyExceptions(services: own, namespace: "shop", domain: "cluster.local")
    let environment: EnvironmentVariables = [
      "HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "corp.example, .intern",
      "API": "http://service-999:8080/x", "OTHER": "a=service-1999.other;",
    ]
    var extended = environment
    exceptions.extend(&extended)
    let value = extended["NO_PROXY"]?.description ?? ""
    #expect(value.utf8.count <= 8192 && value.utf8.count > 8000)
    #expect(
      value.hasPrefix(
        "corp.example,.intern,.svc,.cluster.local,127.0.0.0/8,10.96.0.0/19,service-999,service-1999.other,service-0,"))
    #expect(extended["no_proxy"]?.description == value)
  }

  @Test func `A NO_PROXY of the user's that is longer than the limit is kept whole`() {
    let long = (0..<1000).map { "host-\($0).example" }
    let exceptions = ProxyExceptions(services: services(["shop": 5], own: "shop"), namespace: "shop", domain: "")
    let result = hosts(exceptions, ["NO_PROXY": RawString(long.joined(separator: ","))])
    #expect(result == long + [".svc", ".cluster.local", "127.0.0.0/8", "10.96.0.0/29"])
  }

  @Test func `If one of the two spellings of NO_PROXY is missing, the other counts for both`() {
    var environment: EnvironmentVariables = ["no_proxy": "corp"]
    var exceptions = ProxyExceptions()
    exceptions.suffixes = [".svc"]
    exceptions.extend(&environment)
    #expect(environment["no_proxy"] == "corp,.svc" && environment["NO_PROXY"] == "corp,.svc")
    environment = ["no_proxy": "a", "NO_PROXY": "b"]
    exceptions.extend(&environment)
    #expect(environment["no_proxy"] == "a,.svc" && environment["NO_PROXY"] == "b,.svc")
  }

  @Test(arguments: ["*", " * ", "corp.example, *", "*,corp.example", "a *", ",*"])
  func `A NO_PROXY that stands for all hosts still does`(value: String) {
    var exceptions = ProxyExceptions()
    exceptions.suffixes = [".svc"]
    exceptions.names = ["a"]
    var environment: EnvironmentVariables = ["NO_PROXY": RawString(value)]
    exceptions.extend(&environment)
    #expect(environment["NO_PROXY"] == "*" && environment["no_proxy"] == "*")
    #expect(hosts(exceptions, ["NO_PROXY": "*.corp"]) == ["*.corp", ".svc", "a"])
  }

  @Test(
    arguments: [
      (["10.0.0.1"], ["10.0.0.1/32"]), (["10.0.0.5", "10.0.0.2", "10.0.0.3"], ["10.0.0.0/29"]),
      (["10.96.0.1", "10.111.255.1"], ["10.96.0.0/12"]),
      (["10.0.0.1", "10.0.0.2", "10.200.3.4"], ["10.0.0.0/30", "10.200.3.4/32"]),
      (["fd00::1", "fd00::2", "10.0.0.1"], ["10.0.0.1/32", "fd00::/126"]), ([], []),
    ] as [([String], [String])])
  func `The networks that hold the services' addresses are as small as can be`(addresses: [String], networks: [String])
  {
    #expect(ProxyExceptions.networks(of: addresses.compactMap { IPAddress($0) }).map(\.description) == networks)
  }
}
