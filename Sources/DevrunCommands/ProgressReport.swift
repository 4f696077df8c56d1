internal import DevrunCore
internal import DevrunSession
internal import Synchronization

/// Prints on standard error what a run reports.
///
/// A step is printed only once it takes longer than a moment. Facts are printed on a terminal, and with `--verbose`;
/// warnings always, but with `--quiet`; failures and answers always.
final class ProgressReport: Reporter {
  /// How much is printed.
  enum Verbosity: Sendable {
    case quiet
    case normal
    case verbose
  }

  /// How long a step may take before it is printed.
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
    case (.failure(let message), _):
      end()
      terminal.show(message)
    case (.answer(let text), _): terminal.say(text)
    case (.idle, _): end()
    case (.record, _), (.agentLine, _), (_, .quiet): break
    case (.warning(var message), _):
      end()
      message.what = "warning: " + message.what
      terminal.show(message)
    case (.progress(let text, let done, let total), _):
      progress("\(text): \(ByteCount.text(done)) of \(ByteCount.text(total))", isLast: done >= total)
    case (.detail(let text), .verbose), (.step(let text), .verbose), (.fact(let text), .verbose),
      (.waiting(let text), .verbose):
      end()
      terminal.say("[\(elapsed)] \(text)")
    case (.step(let text), .normal): begin(text)
    case (.waiting(let text), .normal):
      end()
      terminal.say(text)
    case (.fact(let text), .normal):
      end()
      if terminal.isTerminal { terminal.say(text) }
    case (.detail, .normal): break
    }
  }

  /// Prints how far a step is: on a terminal, in a line that is written again, some times a second at most.
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
    terminal.write("\rdevrun: \(text.printable)\u{1b}[K" + (isLast ? "\n" : ""))
  }

  /// Nothing is under way any more.
  private func end() { current.withLock { $0 += 1 } }

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
