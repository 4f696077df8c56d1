import DevrunCore
import DevrunKube
import TestCluster
import Testing

@testable import DevrunView

@Suite("Namespaces of the service watch")
struct ServiceWatchTests {
  @Test func `The service watch tries each namespace once and leaves out the session's own`() {
    #expect(ServiceWatch.candidates(["b", "own", "a", "b", "c"], beside: "own") == ["b", "a", "c"])
  }

  @Test func `What is to be followed is told before the list ends, also where only some namespaces may be read`()
    async throws
  {
    try await FakeCluster.run { cluster, namespace in
      cluster.change("services/web") { $0.spec = ["clusterIP": "10.0.0.7"] }
      var told: [[String?]] = []
      let listing = try await ServiceWatch(from: namespace, others: ["ns"]).list { told.append($0) }
      #expect(told == [["ns"]])
      #expect(listing.scopes == ["ns"])
    }
  }
}
