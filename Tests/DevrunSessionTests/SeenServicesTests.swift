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
      let (journal, addresses) = (SessionInMemory.Journal(), Latch<AddressListing>())
      let services = SeenServices(
        watch: ServiceWatch(from: namespace, others: []), listing: ServiceWatch.Listing(services: [], scopes: ["ns"]),
        addresses: addresses)
      #expect(SeenServices.patience == .seconds(2))
      #expect(await services.addressesInTime(.milliseconds(1), reporter: journal) == nil)
      #expect(journal.all.count == 1)
      async let known = services.addressesInTime(.seconds(60), reporter: journal)
      addresses.set(AddressListing())
      #expect(await known != nil)
      #expect(journal.all.count == 1)
    }
  }
}
