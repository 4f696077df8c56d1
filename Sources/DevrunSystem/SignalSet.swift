public import Glibc

/// A set of signals (sigsetops(3)), and what a thread does with one (pthread_sigmask(3)).
public struct SignalSet: Sendable {
  /// The C form.
  public var raw = sigset_t()

  /// A set of the given signals.
  public init(_ signals: some Sequence<Int32> = []) {
    sigemptyset(&raw)
    for signal in signals { sigaddset(&raw, signal) }
  }

  /// All signals. Blocking those by which the kernel answers a program's mistakes is harmless: it does not ask then.
  public static let all: SignalSet = {
    var set = SignalSet()
    sigfillset(&set.raw)
    return set
  }()

  /// The signals that are blocked in the calling thread.
  ///
  /// - Throws: the error of pthread_sigmask(3).
  public static var blocked: SignalSet {
    get throws(Errno) { try SignalSet().change(SIG_BLOCK) }
  }

  /// Whether a signal is in the set.
  public func contains(_ signal: Int32) -> Bool {
    withUnsafePointer(to: raw) { sigismember($0, signal) == 1 }
  }

  /// Blocks these signals in the calling thread, in addition to those that are blocked.
  ///
  /// - Returns: the signals that were blocked before.
  /// - Throws: the error of pthread_sigmask(3).
  @discardableResult
  public func block() throws(Errno) -> SignalSet { try change(SIG_BLOCK) }

  /// Lets the calling thread take these signals again.
  ///
  /// - Returns: the signals that were blocked before.
  /// - Throws: the error of pthread_sigmask(3).
  @discardableResult
  public func unblock() throws(Errno) -> SignalSet { try change(SIG_UNBLOCK) }

  /// Waits for one of these signals, which must be blocked in all threads, and takes it (sigwait(3)).
  ///
  /// - Returns: the signal.
  /// - Throws: the error of sigwait(3).
  public func wait() throws(Errno) -> Int32 {
    var signal: Int32 = 0
    let code = withUnsafePointer(to: raw) { sigwait($0, &signal) }
    if code != 0 { throw Errno(rawValue: code) }
    return signal
  }

  private func change(_ how: Int32) throws(Errno) -> SignalSet {
    var before = SignalSet()
    let code = withUnsafePointer(to: raw) { pthread_sigmask(how, $0, &before.raw) }
    if code != 0 { throw Errno(rawValue: code) }
    return before
  }
}
