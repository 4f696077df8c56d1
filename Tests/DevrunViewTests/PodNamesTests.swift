import DevrunCore
import DevrunKube
import Testing

@testable import DevrunView

@Suite("Names of pods within a service")
struct PodNamesTests {
  private static func named(_ ip: String, isReady: Bool = true, service: String = "db") -> KubeObject {
    AddressGroupTests.slice(
      "\(service)-x", of: service,
      AddressGroupTests.endpoint(ip, pod: "\(service)-0", hostname: "\(service)-0", isReady: isReady))
  }

  private static let key = AddressBook.PodKey(
    service: AddressBook.Key(namespace: "shop", name: "db"), hostname: "db-0")

  private func entry(_ book: AddressBook) throws -> AddressBook.Entry { try #require(book.pods[Self.key]) }

  @Test func `A StatefulSet's pod has all names that it has in the cluster`() throws {
    var book = AddressBook(namespace: "shop", domain: "example.internal")
    let fresh = book.apply(AddressEvent(.snapshot([Self.named("10.1.0.4")])), from: nil)
    #expect(fresh == [Self.key])
    #expect(
      try entry(book).names == [
        "db-0.db", "db-0.db.shop", "db-0.db.shop.svc", "db-0.db.shop.svc.example.internal",
        "db-0.db.shop.svc.cluster.local",
      ])
    var other = AddressBook(namespace: "lab", domain: "cluster.local")
    _ = other.apply(AddressEvent(.snapshot([Self.named("10.1.0.4")])), from: nil)
    #expect(try entry(other).names == ["db-0.db.shop", "db-0.db.shop.svc", "db-0.db.shop.svc.cluster.local"])
  }

  @Test func `A pod that is made anew has another address in the cluster and the same here`() throws {
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    _ = book.apply(AddressEvent(.snapshot([Self.named("10.1.0.4")])), from: "shop")
    let local = try entry(book).local
    #expect(book.destination(of: local) == "10.1.0.4")
    // Deleted: the cluster's resolver has the last word.
    _ = book.apply(AddressEvent(.modified(Self.named("10.1.0.4", isReady: false))), from: "shop")
    #expect(book.destination(of: local) == "db-0.db.shop.svc.cluster.local")
    #expect(book.apply(AddressEvent(.modified(Self.named("10.1.0.9"))), from: "shop") == [])
    #expect(try entry(book).local == local)
    #expect(book.destination(of: local) == "10.1.0.9")
    _ = book.apply(AddressEvent(.deleted(Self.named("10.1.0.9"))), from: "shop")
    #expect(book.destination(of: local) == "db-0.db.shop.svc.cluster.local")
    _ = book.apply(AddressEvent(.snapshot([Self.named("10.1.0.7")])), from: "shop")
    #expect(book.destination(of: local) == "10.1.0.7")
  }

  @Test func `Two slices of a service name one pod by an address of each family`() throws {
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    let second = AddressGroupTests.slice(
      "db-six", of: "db", AddressGroupTests.endpoint("fd00::4", pod: "db-0", hostname: "db-0"), type: "IPv6")
    _ = book.apply(AddressEvent(.snapshot([Self.named("10.1.0.4"), second])), from: nil)
    #expect(Set(try entry(book).clusterIPs.map(\.description)) == ["10.1.0.4", "fd00::4"])
    _ = book.apply(AddressEvent(.deleted(Self.named("10.1.0.4"))), from: nil)
    #expect(try entry(book).clusterIPs.map(\.description) == ["fd00::4"])
  }

  @Test func `A name means the IPv4 address, whichever family came first`() throws {
    let six = AddressGroupTests.slice(
      "db-six", of: "db", AddressGroupTests.endpoint("fd00::4", pod: "db-0", hostname: "db-0"), type: "IPv6")
    for slices in [[Self.named("10.1.0.4"), six], [six, Self.named("10.1.0.4")]] {
      var book = AddressBook(namespace: "shop", domain: "cluster.local")
      for slice in slices { _ = book.apply(AddressEvent(.added(slice)), from: nil) }
      #expect(book.destination(of: try entry(book).local) == "10.1.0.4")
      _ = book.apply(AddressEvent(.deleted(Self.named("10.1.0.4"))), from: nil)
      #expect(book.destination(of: try entry(book).local) == "fd00::4")
    }
  }

  @Test func `An address that two slices name stays when one of them drops it`() throws {
    func slice(_ name: String, _ endpoints: JSONValue...) -> KubeObject {
      var slice = AddressGroupTests.slice(name, of: "db")
      slice.json["endpoints"] = .array(endpoints)
      return slice
    }
    let endpoint = AddressGroupTests.endpoint("10.1.0.4", pod: "db-0", hostname: "db-0")
    let other = AddressGroupTests.endpoint("10.1.0.9", pod: "db-0", hostname: "db-0")
    for change in [
      WatchEvent.modified(slice("s1")), .deleted(slice("s1")), .modified(slice("s1", other)),
      .snapshot([slice("s2", endpoint)]),
    ] {
      var book = AddressBook(namespace: "shop", domain: "cluster.local")
      _ = book.apply(AddressEvent(.snapshot([slice("s1", endpoint), slice("s2", endpoint)])), from: nil)
      #expect(try entry(book).clusterIPs == [IPAddress(10, 1, 0, 4)])
      #expect(book.apply(AddressEvent(change), from: nil) == [])
      #expect(try entry(book).clusterIPs.first == IPAddress(10, 1, 0, 4), "\(change)")
      _ = book.apply(AddressEvent(.snapshot([])), from: nil)
      #expect(try entry(book).clusterIPs == [])
    }
  }

  @Test func `The snapshot of one namespace leaves the pods of another alone`() throws {
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    _ = book.apply(AddressEvent(.snapshot([Self.named("10.1.0.4")])), from: "shop")
    _ = book.apply(AddressEvent(.snapshot([])), from: "lab")
    #expect(try entry(book).clusterIPs == [IPAddress(10, 1, 0, 4)])
    _ = book.apply(.snapshot(.pods, []), from: "shop")
    #expect(try entry(book).clusterIPs == [IPAddress(10, 1, 0, 4)])
    _ = book.apply(AddressEvent(.snapshot([])), from: nil)
    #expect(try entry(book).clusterIPs == [])
  }

  @Test func `A name that is a pod's and a service's means the pod in the session's namespace`() throws {
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    book.update(HostsFileTests.service("db-0", "db", "10.0.0.9"))
    _ = book.apply(AddressEvent(.snapshot([Self.named("10.1.0.4")])), from: nil)
    let lines = HostsFile(reading: HostsFileTests.file().text(book)).machine.filter { $0.names.contains("db-0.db") }
    #expect(lines.map(\.address) == [try entry(book).local.description])
  }
}
