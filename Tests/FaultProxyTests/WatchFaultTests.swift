import DevrunKube
import FaultProxy
import TestCluster
import TestSupport
import Testing

@Suite("Faults of watches")
struct WatchFaultTests {
  @Test func `The events of a watch pass the proxy`() async throws {
    try await ProxiedCluster.run { proxied in
      proxied.makeElsewhere("a")
      let names = try await proxied.names(3) { seen in
        if seen == 0 { proxied.makeElsewhere("b") }
        if seen == 1 { proxied.makeElsewhere("c") }
      }
      #expect(names == ["a", "b", "c"])
    }
  }

  @Test func `Events that are held come in order once the fault is lifted`() async throws {
    try await ProxiedCluster.run { proxied in
      proxied.makeElsewhere("a")
      let opened = try await proxied.proxy.inject(.pass, into: .watch("configmaps"))
      let held = try await proxied.proxy.inject(.hold, into: .watch("configmaps"))
      async let names = proxied.names(3)
      try await opened.hit()
      proxied.makeElsewhere("b")
      proxied.makeElsewhere("c")
      try await held.hit(2)
      held.lift()
      #expect(try await names == ["a", "b", "c"])
    }
  }

  @Test func `A watch that is open is cut, and resumed by its client`() async throws {
    try await ProxiedCluster.run { proxied in
      proxied.makeElsewhere("a")
      let opened = try await proxied.proxy.inject(.pass, into: .watch("configmaps"))
      async let names = proxied.names(2)
      try await opened.hit()
      let cut = try await proxied.proxy.inject(.cut, into: .watch("configmaps"), .once)
      try await cut.hit()
      try await opened.hit(2)
      proxied.makeElsewhere("b")
      #expect(try await names == ["a", "b"])
      #expect(cut.hits == 1)
    }
  }

  @Test func `Two events of a watch change places`() async throws {
    try await ProxiedCluster.run { proxied in
      proxied.makeElsewhere("a")
      let reordered = try await proxied.proxy.inject(.reorder, into: .watch("configmaps"), .once)
      let names = try await proxied.names(4) { seen in
        guard seen == 0 else { return }
        for name in ["b", "c", "d"] { proxied.makeElsewhere(name) }
      }
      #expect(names == ["a", "c", "b", "d"])
      #expect(reordered.hits == 1)
    }
  }

  @Test func `A watch that expires is followed by a new list`() async throws {
    try await ProxiedCluster.run { proxied in
      proxied.makeElsewhere("a")
      let opened = try await proxied.proxy.inject(.pass, into: .watch("configmaps"))
      async let names = proxied.names(2)
      try await opened.hit()
      let expired = try await proxied.proxy.inject(.expire, into: .watch("configmaps"), .once)
      try await expired.hit()
      // Both are of lists.
      #expect(try await names == ["a", "a"])
    }
  }

  @Test func `A watch is refused as any request is`() async throws {
    try await ProxiedCluster.run { proxied in
      proxied.makeElsewhere("a")
      let gone = try await proxied.proxy.inject(.answer(410), into: .watch("configmaps"), .once)
      let names = try await proxied.names(2)
      #expect(names == ["a", "a"])
      #expect(gone.hits == 1)
    }
  }
}
