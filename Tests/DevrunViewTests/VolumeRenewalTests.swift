import DevrunAgentAPI
import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import DevrunTunnel
import Foundation
import Synchronization
import TestSupport
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

@Suite("Attempts to renew volumes", .timeLimit(.minutes(1)))
struct VolumeAttemptTests {
  private struct Broken: Error {}

  /// Hands over the changes, and goes on until the test is done.
  private func handle(
    _ changes: [VolumeChange], until count: Int, _ handle: @escaping (Int, VolumeChange) -> Bool
  ) async throws -> [VolumeChange] {
    let done = Latch<Void>()
    var seen: [VolumeChange] = []
    await #expect(throws: Broken.self) {
      try await VolumeRenewal.handleEach(
        from: { take in
          for change in changes { take(change) }
          _ = await done.wait()
          throw Broken()
        }, backoff: Backoff(first: .milliseconds(1), limit: .milliseconds(2))
      ) { change in
        seen.append(change)
        if seen.count == count { done.set(()) }
        return handle(seen.count, change)
      }
    }
    return seen
  }

  @Test func `A volume that could not be renewed is tried again, and holds up no other`() async throws {
    let (one, two) = (VolumeChange(index: 0, version: "..1"), VolumeChange(index: 1, version: "..1"))
    let seen = try await handle([one, two], until: 4) { number, change in change == two || number == 4 }
    #expect(seen == [one, two, one, one])
  }

  @Test func `A version that could not be had is not tried again once there is a newer one`() async throws {
    let (old, new) = (VolumeChange(index: 0, version: "..1"), VolumeChange(index: 0, version: "..2"))
    let seen = try await handle([old, new], until: 4) { number, _ in number == 4 }
    #expect(seen.last == new)
    #expect(seen.drop { $0 == old }.allSatisfy { $0 == new })
    #expect(seen.filter { $0 == old }.count == 1)
  }

  @Test func `If one part of a volume does not come, the others stay as they are, until all come`() async throws {
    let folder = try TemporaryFolder()
    let volume = ContainerVolumes.Volume(name: "tls", mountPath: "/tls", kind: "secret")
    func make(_ name: String, _ part: String, _ text: String) throws -> MaterializedVolumes.Copy {
      let place = folder.path("\(name)-\(part)")
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      try text.write(toFile: "\(place)/\(part)", atomically: false, encoding: .utf8)
      let part = try #require(VolumePart(part))
      return MaterializedVolumes.Copy(item: .init(volume: volume, part: part, isNamed: true), folder: place)
    }
    let copies = [try make("live", "crt", "old"), try make("live", "key", "old")]
    func texts() throws -> [String] {
      try copies.map { try String(contentsOfFile: $0.path.description, encoding: .utf8) }
    }
    for error: any Error in [
      ViewError.volumeTooLarge("tls", bytes: nil, limit: 1), TunnelError.failedRequest("a", "b"),
    ] {
      await #expect(throws: RenewalFailure.self) {
        try await VolumeRenewal.renew(copies) { index, _ in
          if index == 1 { throw error }
          return try make("new", "crt", "new")
        }
      }
      #expect(try texts() == ["old", "old"])
      #expect(!FileManager.default.fileExists(atPath: folder.path("new-crt")))
    }
    await #expect(throws: TunnelError.self) {
      try await VolumeRenewal.renew(copies) { _, _ in throw TunnelError.lost("gone") }
    }
    try await VolumeRenewal.renew(copies) { index, _ in try make("new", ["crt", "key"][index], "new") }
    #expect(try texts() == ["new", "new"])
  }
}
