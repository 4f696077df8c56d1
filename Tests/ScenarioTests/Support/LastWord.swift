import Synchronization

/// A text that one task sets and another reads when it gives up.
final class LastWord: Sendable {
  private let text = Mutex("nothing was looked at")

  var value: String { text.withLock { $0 } }

  func set(_ value: String) { text.withLock { $0 = value } }
}
