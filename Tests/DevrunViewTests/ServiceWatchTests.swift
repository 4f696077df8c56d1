import Testing

@testable import DevrunView

@Suite("Namespaces of the service watch")
struct ServiceWatchTests {
  @Test func `The service watch tries each namespace once and leaves out the session's own`() {
    #expect(ServiceWatch.candidates(["b", "own", "a", "b", "c"], beside: "own") == ["b", "a", "c"])
  }
}
