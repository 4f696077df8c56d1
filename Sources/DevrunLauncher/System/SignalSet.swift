import Glibc

extension sigset_t {
  /// A set of the given signals.
  init(_ signals: some Sequence<Int32>) {
    self.init()
    sigemptyset(&self)
    for signal in signals { sigaddset(&self, signal) }
  }

  /// All signals. Blocking those by which the kernel answers a program's mistakes is harmless: it does not ask then.
  static var all: sigset_t {
    var signals = sigset_t()
    sigfillset(&signals)
    return signals
  }

  /// Blocks these signals in the calling thread, in addition to those that are.
  func block() throws(Errno) -> sigset_t {
    var signals = self
    var before = sigset_t()
    let code = pthread_sigmask(SIG_BLOCK, &signals, &before)
    if code != 0 { throw Errno(rawValue: code) }
    return before
  }
}
