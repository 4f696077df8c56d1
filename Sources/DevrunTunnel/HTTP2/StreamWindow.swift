// How much a stream's peer may send before it is read.
//
// A large window for every stream would let some stalled ones fill the memory; a small one makes a long way slow (16 KiB at
// 50 ms are 320 KB/s). So each stream begins with a small base window, and while it is read as fast as it
// arrives, its window doubles, as long as the pool that all streams share has something left. One whose reader lags
// gives back what it consumes until it has only the base.
//
// NIOHTTP2 manages the base by itself: whenever what is left of the window is no more than half of the base, it tops it up to
// the base. What is above the base is granted here, by WINDOW_UPDATE frames of our own, and counting along tells how much
// is left.

package import NIOCore

/// The window of one stream. Pure.
struct StreamWindow: Sendable, Hashable {
  private let base: Int
  private let maximum: Int
  /// What the window should be when nothing has been received and not read.
  private(set) var target: Int
  /// What is left of it: what the peer may still send, and what has arrived and was not read.
  private(set) var left: Int
  /// What was read since the window was last adjusted.
  private var readSinceAdjusted = 0

  init(base: Int, maximum: Int) {
    self.base = base
    self.maximum = max(base, maximum)
    target = base
    left = base
  }

  /// What this stream has from the pool.
  var borrowed: Int { target - base }

  /// A DATA frame of so many bytes was read.
  mutating func read(_ count: Int) {
    readSinceAdjusted += count
    left -= count
    if 2 * left <= base { left = base }
  }

  /// All that had arrived has been read.
  ///
  /// - Parameters:
  ///   - keepsUp: whether the reader was waiting for it.
  ///   - available: what the pool has left.
  /// - Returns: the increment to send, 0 for none.
  mutating func adjust(keepsUp: Bool, available: Int) -> Int {
    guard 2 * readSinceAdjusted >= target else { return 0 }
    readSinceAdjusted = 0
    guard keepsUp else {
      target = max(base, left)
      return 0
    }
    target += min(target, maximum - target, available)
    guard target > base, target > left else { return 0 }
    defer { left = target }
    return target - left
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
