import DevrunCore
import DevrunKube
import Testing

@testable import DevrunView

@Suite("Private hosts file")
struct HostsFileTests {
  static func service(_ name: String, _ namespace: String, _ address: String) -> KubeObject {
    ["metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": ["clusterIP": .string(address)]]
  }

  static let machine = """
    127.0.0.1 localhost
    127.0.1.1 laptop.example laptop  # this machine
    10.9.8.7 myapp2 build-cache
    ::1 ip6-localhost

    """

  /// The private file of a machine.
  static func file(
    _ machine: String = machine, hostname: String = "laptop", pod: PodHosts = PodHosts(), hasIPv6: Bool = false
  ) -> HostsFile {
    HostsFile(machine: machine, hostname: hostname, pod: pod, hasIPv6: hasIPv6)
  }

  private func book() -> AddressBook {
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    book.update(Self.service("myapp2", "shop", "10.0.0.2"))
    book.update(Self.service("mail", "other", "10.0.0.3"))
    book.update(Self.service("laptop", "shop", "10.0.0.4"))
    return book
  }

  /// The address that a lookup finds: the first line with the name decides.
  private func lookup(_ name: String, in text: String) -> String? {
    text.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace) }
      .first { $0.dropFirst().contains { $0 == name } }.map { String($0[0]) }
  }

  @Test func `The hosts file has a service's local address under all the service's names`() throws {
    let book = book()
    let text = Self.file().text(book)
    let address = try #require(book.entries[.init(namespace: "shop", name: "myapp2")]).local.description
    for name in [
      "myapp2", "myapp2.shop", "myapp2.shop.svc", "myapp2.shop.svc.cluster.local", "myapp2.svc.cluster.local",
    ] {
      #expect(lookup(name, in: text) == address)
    }
    #expect(lookup("mail", in: text) == nil)
    #expect(lookup("mail.other", in: text) != nil)
  }

  @Test func `The hosts file keeps localhost, the machine's name and names unknown to the cluster`() {
    let text = Self.file().text(book())
    #expect(lookup("localhost", in: text) == "127.0.0.1")
    #expect(lookup("laptop", in: text) == "127.0.1.1")
    #expect(lookup("laptop.example", in: text) == "127.0.1.1")
    #expect(lookup("build-cache", in: text) == "10.9.8.7")
    #expect(lookup("laptop.shop", in: text) != nil)
  }

  @Test func `The hosts file has localhost even if the machine's file is empty`() {
    let text = Self.file("", hostname: "").text(book())
    #expect(lookup("localhost", in: text) == "127.0.0.1")
  }

  @Test func `A new service adds its names to the hosts file`() throws {
    var book = book()
    let file = Self.file()
    let isNew = book.update(Self.service("fresh", "shop", "10.0.0.9"))
    #expect(isNew)
    let key = AddressBook.Key(namespace: "shop", name: "fresh")
    let entry = try #require(book.entries[key])
    #expect(lookup("fresh", in: file.addition([entry])) == entry.local.description)
    let again = book.update(Self.service("fresh", "shop", "10.0.0.10"))
    #expect(!again)
    #expect(book.destination(of: entry.local) == "10.0.0.10")
  }

  @Test func `A requested service has an address and a short name before it exists`() throws {
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    let key = AddressBook.Key(namespace: "mynamespace", name: "myapp9")
    book.request(key)
    let entry = try #require(book.entries[key])
    #expect(entry.names.contains("myapp9"))
    #expect(entry.names.contains("myapp9.svc.cluster.local"))
    #expect(book.destination(of: entry.local) == "myapp9.mynamespace.svc.cluster.local")
    book.update(Self.service("myapp9", "mynamespace", "10.0.0.7"))
    #expect(book.destination(of: entry.local) == "10.0.0.7")
    book.remove(Self.service("myapp9", "mynamespace", "10.0.0.7"))
    #expect(book.destination(of: entry.local) == "myapp9.mynamespace.svc.cluster.local")
  }

  @Test func `Each of 70,000 services has a local address of its own`() {
    var book = AddressBook(namespace: "a", domain: "cluster.local")
    for index in 0..<70_000 { book.request(.init(namespace: "a", name: "s\(index)")) }
    let addresses = Set(book.entries.values.map(\.local))
    #expect(addresses.count == 70_000)
    #expect(addresses.allSatisfy { $0.bytes[0] == 127 && $0.bytes[1] >= 77 && (1...254).contains($0.bytes[3]) })
  }

  @Test(arguments: [0, 1, 4_000, 4_096]) func `An appended line never lies across two pages`(offset: Int) {
    let lines = (0..<500).map { "127.77.0.\($0 % 250)\tservice-\($0) service-\($0).shop" }
    let text = PagedLines.text(lines.map { $0 + "\n" }.joined(), at: offset)
    #expect(text.split(separator: "\n").map(String.init) == lines)
    var position = offset
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let end = position + line.utf8.count
      #expect(position / PagedLines.pageSize == end / PagedLines.pageSize)
      position = end + 1
    }
  }
}
