/// Runs `body` and throws when it takes longer than `limit`: a bound on hangs, never a measurement.
@discardableResult
func within<Value: Sendable>(
  _ limit: Duration, _ what: @autoclosure @escaping @Sendable () -> String,
  _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  try await withThrowingTaskGroup(of: Value.self) { group in
    group.addTask { try await body() }
    group.addTask {
      try await Task.sleep(for: limit)
      throw Failure("not within \(limit): \(what())")
    }
    defer { group.cancelAll() }
    guard let value = try await group.next() else { throw CancellationError() }
    return value
  }
}

/// Asks again until `obstacle` returns nothing. What is asked is the cluster or the kernel, which have no event for it.
func eventually(
  within limit: Duration = .seconds(45), every pause: Duration = .milliseconds(250),
  _ obstacle: @escaping @Sendable () async throws -> String?
) async throws {
  let clock = ContinuousClock()
  let end = clock.now + limit
  while let reason = try await obstacle() {
    guard clock.now < end else { throw Failure("not within \(limit): \(reason)") }
    try await Task.sleep(for: pause)
  }
}
