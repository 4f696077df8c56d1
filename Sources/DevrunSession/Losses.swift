internal import Synchronization

/// What a session made or changed and others have deleted since: each as `kind/name`.
final class Losses: Sendable {
  private let names = Mutex<Set<String>>([])

  /// Something is deleted.
  func note(_ name: String) { names.withLock { _ = $0.insert(name) } }

  /// Something is there again.
  func forget(_ name: String) { names.withLock { _ = $0.remove(name) } }

  /// Whether nothing is deleted.
  var isEmpty: Bool { names.withLock(\.isEmpty) }
}
