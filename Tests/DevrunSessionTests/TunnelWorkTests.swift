import DevrunTunnel
import Synchronization
import Testing

@testable import DevrunSession

@Suite("Work that needs a tunnel", .timeLimit(.minutes(1)))
struct TunnelWorkTests {
  private final class Link: Sendable {
    let number: Int
    init(_ number: Int) { self.number = number }
  }

  /// Tunnels that come up one after the other, each when it is waited for.
  private final class Links: Sendable {
    let all = (0..<5).map(Link.init)
    let current = Mutex(0)
    let brokenSince = Mutex<Set<Int>>([])

    func work(attempts: Int = 3) -> TunnelWork<Link> {
      TunnelWork(
        attempts: attempts, outbound: { self.all[self.current.withLock { $0 }] },
        isOver: { link in self.brokenSince.withLock { $0.contains(link.number) } },
        arrival: { self.current.withLock { $0 += 1 } })
    }

    func breakDown(_ link: Link) throws -> Never {
      brokenSince.withLock { _ = $0.insert(link.number) }
      throw TunnelError.lost("test")
    }
  }

  private let links = Links()

  @Test func `Work is done again by the next tunnel if one breaks`() async throws {
    var used: [Int] = []
    let result = try await links.work().run { link in
      used.append(link.number)
      if link.number < 2 { try links.breakDown(link) }
      return "done"
    }
    #expect(result == "done")
    #expect(used == [0, 1, 2])
  }

  @Test func `Work is given up after some tunnels that broke`() async throws {
    var used: [Int] = []
    await #expect(throws: TunnelError.lost("test")) {
      try await links.work().run { link in
        used.append(link.number)
        try links.breakDown(link)
      }
    }
    #expect(used == [0, 1, 2])
  }

  @Test func `An error of a tunnel that did not break stands`() async throws {
    var used: [Int] = []
    await #expect(throws: TunnelError.failedRequest("its files", "there are none")) {
      try await links.work().run { link in
        used.append(link.number)
        throw TunnelError.failedRequest("its files", "there are none")
      }
    }
    #expect(used == [0])
  }
}
