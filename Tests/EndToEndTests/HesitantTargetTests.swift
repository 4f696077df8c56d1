import TestSupport
import Testing

extension EndToEnd.Endings {
  @Suite("Targets whose app is broken")
  struct BrokenTargets {
    @Test(arguments: HesitantTarget.broken)
    func `A session on a broken app works or ends in time with the reason`(target: HesitantTarget) async throws {
      try await target.runSession()
    }

    @Test(arguments: HesitantTarget.broken)
    func `A killed session on a broken app is restored in time`(target: HesitantTarget) async throws {
      try await target.restoreKilledSession()
    }
  }
}

extension EndToEnd.Beginnings {
  @Suite("Targets without room for one more pod")
  struct CrowdedTargets {
    @Test(arguments: HesitantTarget.crowded)
    func `A session whose pods the cluster refuses ends in time with the reason`(target: HesitantTarget) async throws {
      try await target.runSession()
    }

    @Test(arguments: HesitantTarget.crowded)
    func `A killed session whose pods the cluster refuses is restored in time`(target: HesitantTarget) async throws {
      try await target.restoreKilledSession()
    }
  }
}

extension EndToEnd.Runs {
  @Suite("Targets that are not ready by themselves")
  struct GatedTargets {
    @Test(arguments: HesitantTarget.gated)
    func `A session on a target that something else makes ready works`(target: HesitantTarget) async throws {
      try await target.runSession()
    }

    @Test(arguments: HesitantTarget.gated)
    func `A killed session on a target that something else makes ready is restored in time`(
      target: HesitantTarget
    ) async throws {
      try await target.restoreKilledSession()
    }
  }
}

extension EndToEnd.Beginnings {
  @Suite("Targets that are slow")
  struct SlowTargets {
    @Test(arguments: HesitantTarget.slow)
    func `A session on a slow target works and ends in time`(target: HesitantTarget) async throws {
      try await target.runSession()
    }

    @Test(arguments: HesitantTarget.slow)
    func `A killed session on a slow target is restored in time`(target: HesitantTarget) async throws {
      try await target.restoreKilledSession()
    }
  }
}
