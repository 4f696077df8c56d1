import TestSupport

/// Asks again until `obstacle` returns nothing. What is asked is the cluster or the kernel, which have no event for it.
func eventually(
  within limit: Duration = .seconds(45), every pause: Duration = .milliseconds(250),
  _ obstacle: @escaping @Sendable () async throws -> String?
) async throws {
  let end = ContinuousClock.now + limit
  while let reason = try await obstacle() {
    guard .now < end else { throw TestFailure("not within \(limit): \(reason)") }
    try await Task.sleep(for: pause)
  }
}
