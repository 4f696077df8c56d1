internal import DevrunCore
internal import DevrunSession
internal import Synchronization

/// Tells on standard error what a session does.
///
/// A step is told only once it takes longer than a moment. Facts are told on a terminal, and with `--verbose`; warnings
/// always, but with `--quiet`.
final class ProgressReport: Reporter {
  /// How much is told.
  enum Verbosity: Sendable {
    case quiet
    case normal
    case verbose
  }

  /// How long a step may take before it is told.
  static let moment = Duration.seconds(1)

  private let terminal: Terminal
  private let verbosity: Verbosity
  private let start = ContinuousClock.now
  private let current = Mutex(0)
  private let lastProgress = Mutex(ContinuousClock.now)

  init(terminal: Terminal, verbosity: Verbosity) {
    self.terminal = terminal
    self.verbosity = verbosity
  }

  func report(_ event: ReportEvent) {
    switch (event, verbosity) {
    case (.detail(let text), .verbose), (.step(let text), .verbose), (.fact(let text), .verbose):
      end()
      terminal.say("[\(elapsed)] \(text)")
    case (.step(let text), .normal):
      begin(text)
    case (.progress(let text, let done, let total), .normal), (.progress(let text, let done, let total), .verbose):
      progress("\(text): \(ByteCount.text(done)) of \(ByteCount.text(total))", isLast: done >= total)
    case (.fact(let text), .normal):
      end()
      if terminal.isTerminal { terminal.say(text) }
    case (.warning(var message), .normal), (.warning(var message), .verbose):
      message.what = "warning: " + message.what
      terminal.show(message)
    case (_, .quiet), (.detail, _), (.agentLine, _):
      break
    }
  }

  /// Tells how far a step is: on a terminal, in a line that is written again, some times a second at most.
  private func progress(_ text: String, isLast: Bool) {
    guard terminal.isTerminal else { return }
    let isDue = lastProgress.withLock { last in
      guard isLast || ContinuousClock.now - last > .milliseconds(200) else { return false }
      last = .now
      return true
    }
    guard isDue else { return }
    end()
    // Back to the line's start, and what stood there goes (ECMA-48: CR, EL).
    terminal.write("\rdevrun: \(text)\u{1b}[K" + (isLast ? "\n" : ""))
  }

  /// Nothing is under way any more: the command runs, or all is done.
  func end() { current.withLock { $0 += 1 } }

  private func begin(_ text: String) {
    let number = current.withLock { number in
      number += 1
      return number
    }
    let terminal = terminal
    Task {
      try await Task.sleep(for: Self.moment)
      if self.current.withLock({ $0 == number }) { terminal.say("\(text) ...") }
    }
  }

  private var elapsed: String {
    let duration = ContinuousClock.now - start
    let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
    return "\(milliseconds) ms"
  }
}
