import DevrunCore
import DevrunKube
import DevrunPlan
import DevrunSystem
import Synchronization
import TestCluster
import TestSupport
import Testing

@testable import DevrunView

/// The watch over Services and Endpoints, in a cluster in memory.
@Suite("The cluster's services while the command runs", .timeLimit(.minutes(1)))
struct ServiceFollowTests {
  /// Passes on that something is followed again.
  private final class Listener: Reporter {
    let recoveries: AsyncStream<String>
    private let recovered: AsyncStream<String>.Continuation

    init() { (recoveries, recovered) = AsyncStream.makeStream() }

    func report(_ event: ReportEvent) {
      if case .detail(let text) = event, text.hasSuffix("are followed again") { recovered.yield(text) }
    }

    func finish() { recovered.finish() }
  }

  private static func endpoints(_ addresses: [String]) -> JSONValue {
    [
      [
        "addresses": .array(
          addresses.enumerated().map { index, address in
            ["ip": .string(address), "nodeName": "n1", "targetRef": ["kind": "Pod", "name": .string("p\(index)")]]
          })
      ]
    ]
  }

  private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  @Test func `A refused watch is opened again, and no node and not the excluded address is taken for a pod`()
    async throws
  {
    let folder = try TemporaryFolder()
    let directory = try SessionDirectory(session: "a", environment: ["XDG_RUNTIME_DIR": RawString(folder.path)])
    let view = ClusterView(
      book: AddressBook(namespace: "ns", domain: "cluster.local"), hosts: HostsFile(reading: ""),
      directory: directory, fixed: [])
    _ = try view.writeHosts()
    let machine = try Self.address("192.0.2.2")
    view.excludeFromPods([machine])
    try await FakeCluster.run { cluster, namespace in
      cluster.change("services/web") { $0.spec = ["clusterIP": "10.96.0.7", "ports": [["port": 80]]] }
      cluster.change("endpoints/web") { endpoints in
        endpoints.json["subsets"] = Self.endpoints(["10.244.0.7", "192.0.2.1", "\(machine)"])
      }
      cluster.change("pods/proxy") { pod in
        pod.spec = ["nodeName": "n1", "hostNetwork": true]
        pod.json["status"] = ["hostIP": "192.0.2.1"]
      }
      // EndpointSlices may not be read. Each watch is refused twice.
      let refusals = Mutex<[String: Int]>([:])
      let isListed = Mutex(false)
      cluster.refuse { request in
        if request == "GET endpointslices" { return .mayNot }
        guard isListed.withLock(\.self), ["GET services", "WATCH endpoints"].contains(request) else { return nil }
        return refusals.withLock { refusals in
          refusals[request, default: 0] += 1
          return refusals[request, default: 0] <= 2 ? .mayNot : nil
        }
      }
      let listener = Listener()
      let watch = ServiceWatch(from: namespace, others: [])
      let addresses = Latch<AddressListing>()
      addresses.set(await watch.listAddresses(in: ["ns"], reporter: listener))
      isListed.withLock { $0 = true }
      let following = Task {
        defer { listener.finish() }
        try await watch.follow(
          view, from: ServiceWatch.Listing(services: [], scopes: ["ns"]), addresses: addresses, reporter: listener)
      }
      var recoveries = listener.recoveries.makeAsyncIterator()
      let lines = [await recoveries.next(), await recoveries.next()].compactMap { $0 }
      #expect(
        Set(lines) == [
          "the services of namespace ns are followed again", "the addresses of pods in namespace ns are followed again",
        ])
      let (pod, node) = (try Self.address("10.244.0.7"), try Self.address("192.0.2.1"))
      #expect(view.redirected.contains(pod))
      #expect(!view.redirected.contains(node))
      #expect(!view.redirected.contains(machine))
      #expect(view.services.count == 1)
      following.cancel()
      await #expect(throws: CancellationError.self) { try await following.value }
    }
    try directory.remove()
  }
}
