internal import Synchronization

/// Whether somebody wants the end at once, who signals again while everything is put back.
final class Haste: Sendable {
  private enum State {
    case patient(hurriers: [Int: @Sendable () -> Void], next: Int)
    case wanted
  }

  private let state = Mutex(State.patient(hurriers: [:], next: 0))

  /// From now on nothing is waited for that need not be.
  func want() {
    let hurriers = state.withLock { state in
      guard case .patient(let hurriers, _) = state else { return [Int: @Sendable () -> Void]() }
      state = .wanted
      return hurriers
    }
    for hurry in hurriers.values { hurry() }
  }

  /// Does something that can be left out; it is cancelled as soon as haste is wanted.
  ///
  /// - Returns: whether it was done to its end.
  /// - Throws: what the work throws.
  func unlessWanted(_ work: @escaping @Sendable () async throws -> Void) async throws -> Bool {
    let task = Task(operation: work)
    guard let number = register(task.cancel) else {
      task.cancel()
      _ = await task.result
      return false
    }
    defer { unregister(number) }
    do {
      try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
      return true
    } catch  where isWanted && !Task.isCancelled {
      return false
    }
  }

  private var isWanted: Bool {
    state.withLock { if case .wanted = $0 { true } else { false } }
  }

  /// The number of a registration; `nil` where haste is wanted already.
  private func register(_ hurry: @escaping @Sendable () -> Void) -> Int? {
    state.withLock { state in
      guard case .patient(var hurriers, let next) = state else { return nil }
      hurriers[next] = hurry
      state = .patient(hurriers: hurriers, next: next + 1)
      return next
    }
  }

  private func unregister(_ number: Int) {
    state.withLock { state in
      guard case .patient(var hurriers, let next) = state else { return }
      hurriers[number] = nil
      state = .patient(hurriers: hurriers, next: next)
    }
  }
}
