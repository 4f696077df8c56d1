import DevrunKube
import DevrunSystem
import Synchronization
import Testing

@testable import DevrunView

@Suite("Renewal of volumes", .timeLimit(.minutes(1)))
struct VolumeRenewalTests {
  private struct Dead: Error {}

  @Test func `After a failure the tunnel that is up is tried, though none has come since`() async {
    let arrivals = Broadcast<String>()
    arrivals.send("a")
    arrivals.send("b")
    let attempts = Mutex<[Int]>([])
    let failures = Mutex(0)
    let task = Task {
      await VolumeRenewal.keepFollowing(
        // The first has broken and is still the one to use; from then on it is the second.
        arrivals: arrivals, outbound: { attempts.withLock { $0.count < 3 ? 1 : 2 } },
        backoff: Backoff(first: .milliseconds(1), limit: .milliseconds(2))
      ) { (tunnel: Int) in
        attempts.withLock { $0.append(tunnel) }
        if tunnel == 1 { throw Dead() }
        withUnsafeCurrentTask { $0?.cancel() }
        throw CancellationError()
      } failed: { _ in
        failures.withLock { $0 += 1 }
      }
    }
    await task.value
    #expect(attempts.withLock { $0 } == [1, 1, 1, 2])
    #expect(failures.withLock { $0 } == 3)
  }

  @Test func `Without a tunnel the next is awaited, until none will come any more`() async {
    let arrivals = Broadcast<String>()
    arrivals.finish()
    await VolumeRenewal.keepFollowing(arrivals: arrivals, outbound: { Int?.none }) { (_: Int) in
      Issue.record("there is no tunnel")
    } failed: { _ in
      Issue.record("nothing was tried")
    }
  }
}
