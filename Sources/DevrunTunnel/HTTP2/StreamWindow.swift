// How much a stream's peer may send before it is read.
//
// A large window for every stream would let some stalled ones fill the memory; a small one makes a long way slow (16
// KiB at 50 ms are 320 KB/s). So each stream begins with a small base window, and while it is read as fast as it
// arrives, its window doubles, as long as the pool that all streams share has something left. One whose reader lags
// gives back what it consumes until it has only the base.
//
// NIOHTTP2 would top a window up when data is delivered to the stream's handlers. It is told to aim at a window of
// nothing, which keeps it from that: the handlers take data at once and hold it, and WINDOW_UPDATE frames are sent by
// them.

package import NIOCore

/// The window of one stream. Pure.
struct StreamWindow: Sendable, Hashable {
  private let base: Int
  private let maximum: Int
  /// What the peer may send before anything is read.
  private(set) var target: Int
  /// What was read and not granted again.
  private var read = 0

  init(base: Int, maximum: Int) {
    self.base = base
    self.maximum = max(base, maximum)
    target = base
  }

  /// What this stream has from the pool.
  var borrowed: Int { target - base }

  /// So many bytes were read.
  mutating func read(_ count: Int) { read += count }

  /// Decides how much more the peer may send. Nothing until half of the window was read: updates cost frames.
  ///
  /// - Parameters:
  ///   - keepsUp: whether the reader was waiting for what it read last.
  ///   - available: what the pool has left.
  /// - Returns: the increment to send, 0 for none.
  mutating func adjust(keepsUp: Bool, available: Int) -> Int {
    guard 2 * read >= target else { return 0 }
    let change = keepsUp ? min(target, maximum - target, available) : -min(borrowed, read)
    defer { read = 0 }
    target += change
    return read + change
  }
}

/// What all streams of an end share above their base windows. On one event loop.
package struct WindowPool: Sendable {
  let limits: ConnectionLimits
  private let available: NIOLoopBoundBox<Int>

  package init(_ limits: ConnectionLimits, on eventLoop: any EventLoop) {
    self.limits = limits
    available = .makeBoxSendingValue(limits.windowPool, eventLoop: eventLoop)
  }

  /// A new stream's window.
  var newWindow: StreamWindow { StreamWindow(base: limits.baseWindow, maximum: limits.maximumWindow) }

  /// Adjusts a window at the pool's expense.
  func adjust(_ window: inout StreamWindow, keepsUp: Bool) -> Int {
    let before = window.borrowed
    let increment = window.adjust(keepsUp: keepsUp, available: available.value)
    available.value += before - window.borrowed
    return increment
  }

  /// Takes back what a stream that is over had.
  func reclaim(_ window: inout StreamWindow) {
    available.value += window.borrowed
    window = newWindow
  }
}
