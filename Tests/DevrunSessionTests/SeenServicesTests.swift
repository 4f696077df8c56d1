import DevrunCore
import DevrunKube
import DevrunSystem
import TestCluster
import Testing

@testable import DevrunSession
@testable import DevrunView

/// What the command waits for before it begins.
@Suite("The cluster's services that the command can name", .timeLimit(.minutes(1)))
struct SeenServicesTests {
  @Test func `The command waits for the addresses of pods for a time, and a detail reports that they are not there`()
    async throws
  {
    try await FakeCluster.run { _, namespace in
      let journal = SessionInMemory.Journal()
      let services = SeenServices(watch: ServiceWatch(from: namespace, others: []))
      #expect(SeenServices.patience == .seconds(2))
      #expect(await services.addressesInTime(.milliseconds(1), reporter: journal) == nil)
      #expect(journal.all.count == 1)
      async let known = services.addressesInTime(.seconds(60), reporter: journal)
      services.addresses.set(AddressListing())
      #expect(await known != nil)
      #expect(journal.all.count == 1)
    }
  }

  @Test func `What is read of the services reaches all who wait for it, also its failure`() async throws {
    try await FakeCluster.run { cluster, namespace in
      cluster.change("services/web") { $0.spec = ["clusterIP": "10.0.0.7"] }
      let session = SessionInMemory(in: namespace, startTimeout: .seconds(60))
      let services = SeenServices(watch: ServiceWatch(from: namespace, others: []))
      async let early = services.listing()
      await services.read(in: session.context)
      let listed = try await early
      #expect(listed.services.map(\.name) == ["web"])
      let version = try #require(cluster.object("services/web")?.resourceVersion)
      #expect(try await services.listing().versions == ["ns": version])
      #expect(await services.addresses.wait() != nil)

      cluster.refuse { $0 == "GET services" ? .mayNot : nil }
      let refused = SeenServices(watch: ServiceWatch(from: namespace, others: []))
      await refused.read(in: session.context)
      await #expect(throws: KubeError.self) { try await refused.listing() }
      #expect(await session.context.services.stop().isEmpty)
    }
  }
}
