import DevrunCore
import Testing

@Suite("IP networks")
struct IPNetworkTests {
  @Test(arguments: ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "10.0.0.0/8/8", "10.0.0.0/x"])
  func `A malformed network is refused`(text: String) {
    #expect(IPNetwork(text) == nil)
  }
}
