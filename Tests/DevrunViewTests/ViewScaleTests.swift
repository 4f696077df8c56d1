import DevrunCore
import DevrunKube
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@testable import DevrunView

/// The view of a cluster with 5,000 services of 20 pods each.
@Suite("View of a large cluster")
struct ViewScaleTests {
  private static func address(_ service: Int, _ pod: Int) -> String {
    "10.\(service / 250).\(service % 250).\(pod + 1)"
  }

  private static func slice(_ service: Int, without missing: Int? = nil) -> KubeObject {
    var slice = AddressGroupTests.slice("service-\(service)-x", of: "service-\(service)")
    slice.json["endpoints"] = .array(
      (0..<20).filter { $0 != missing }.map {
        AddressGroupTests.endpoint(address(service, $0), pod: "service-\(service)-pod-\($0)")
      })
    return slice
  }

  private static func service(_ number: Int) -> KubeObject {
    HostsFileTests.service("service-\(number)", "shop", "10.200.\(number / 250).\(number % 250 + 1)")
  }

  /// The time that this thread has computed, in milliseconds.
  private static var time: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
  }

  @Test func `A change of one endpoint or service costs less than a millisecond`() throws {
    let folder = try TemporaryFolder()
    let directory = try SessionDirectory(session: "scale", environment: ["TMPDIR": RawString(folder.path)])
    defer { #expect(throws: Never.self) { try directory.remove() } }
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    for number in 0..<5_000 { book.update(Self.service(number)) }
    let view = ClusterView(book: book, hosts: HostsFileTests.file(), directory: directory, fixed: [])
    view.load(AddressEvent(.snapshot((0..<5_000).map { Self.slice($0) })), from: nil)
    #expect(view.redirectedCount == 5_000 * 22)

    let gone = try #require(IPAddress(Self.address(77, 3)))
    let changes = [Self.slice(77, without: 3), Self.slice(77)]
    #expect(view.redirected.contains(gone))
    let begin = Self.time
    for _ in 0..<100 {
      for change in changes { try view.apply(AddressEvent(.modified(change)), from: nil) }
    }
    let endpoint = (Self.time - begin) / 200
    #expect(endpoint < 1, "a change of an endpoint takes \(endpoint) ms")
    try view.apply(AddressEvent(.modified(changes[0])), from: nil)
    #expect(!view.redirected.contains(gone))
    #expect(view.redirectedCount == 5_000 * 22 - 1)

    let middle = Self.time
    for number in 0..<200 { try view.apply(.modified(Self.service(number)), from: nil) }
    let service = (Self.time - middle) / 200
    #expect(service < 1, "a change of a service takes \(service) ms")
    #expect(view.redirectedCount == 5_000 * 22 - 1)
  }
}
