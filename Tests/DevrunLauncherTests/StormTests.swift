import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// A fuzzed session: processes that connect in every way, and get signals and die in mid-call (fixtures/storm/storm.c).
///
/// DEVRUN_STORM_ROUNDS says how many processes there are, DEVRUN_STORM_SEED what they do; without it each run does
/// something else, and a failure tells the seed.
@Suite("Storm of connects, signals and deaths", .sharingTheMachine(for: .seconds(3600)))
struct StormTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let rounds = environment["DEVRUN_STORM_ROUNDS"].flatMap { Int($0) } ?? 160
  private static let seed = environment["DEVRUN_STORM_SEED"].flatMap { UInt32($0) } ?? .random(in: 1 ... .max)
  private static let source =
    URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("../../fixtures/storm/storm.c").standardizedFileURL

  /// What a keeper holds.
  private struct Holdings: CustomStringConvertible {
    var descriptors: Int
    var residentKilobytes: Int

    init(of keeper: Substring) throws {
      descriptors = try Directory.entries(of: RawString("/proc/\(keeper)/fd")).count
      let status = try String(contentsOfFile: "/proc/\(keeper)/status", encoding: .utf8)
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
      residentKilobytes = try #require(
        line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
    }

    var description: String { "\(descriptors) descriptors, \(residentKilobytes) kB" }
  }

  @Test(arguments: [.all, [], .synchronousWakeUp] as [KernelFeatures])
  func `A storm of connects, signals and deaths gets right answers and leaves nothing in the keeper`(
    features: KernelFeatures
  ) async throws {
    print("storm: \(Self.rounds) rounds, seed \(Self.seed)")
    let services = try ServiceFixture()
    let program = try await services.launches.compile(
      "storm", String(contentsOf: Self.source, encoding: .utf8), ["-O2", "-pthread"])
    // The first storm has the keeper grow to what it needs.
    let process = try services.launch(
      [
        "sh", "-c",
        """
        for rounds in 80 \(Self.rounds); do
          \(program) \(Self.seed) $rounds \(services.server.endpoint.port) || exit
          echo "look at $PPID"
          read line
        done
        """,
      ]
    ) {
      $0.features = features
      $0.routes.append(.init("127.201.0.6/32", errno: ETIMEDOUT, delayMilliseconds: 300))
    }
    var holdings: [Holdings] = []
    var seen = 0
    for _ in 0..<2 {
      seen = try await process.output.wait(
        for: "look at ", "\n", after: seen, within: .seconds(300 + Self.rounds))
      let keeper = try #require(process.output.text.split(whereSeparator: \.isWhitespace).last)
      holdings.append(try Holdings(of: keeper))
      try process.write("\n")
    }
    #expect(try await process.status() == .exited(0), "seed \(Self.seed)")
    #expect(try await process.errors.whole() == "", "seed \(Self.seed)")
    print("storm with seed \(Self.seed): \(holdings[0]), then \(holdings[1])")
    // A dial that times out may be on its end at either time.
    #expect(holdings[1].descriptors <= holdings[0].descriptors + 4, "seed \(Self.seed)")
    // A sanitizer keeps what was freed, for a while.
    if Self.environment["DEVRUN_LAUNCH"] != nil { return }
    #expect(holdings[1].residentKilobytes <= holdings[0].residentKilobytes + 16_384, "seed \(Self.seed)")
  }
}
