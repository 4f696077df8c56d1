internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// devrun's words: on standard error, which may be a terminal.
struct Terminal: Sendable {
  /// Whether standard error is a terminal.
  let isTerminal = isatty(STDERR_FILENO) == 1

  /// Writes a text as it is. What standard error does not take is lost: there is nobody else to tell.
  func write(_ text: String) { try? Descriptor.writeAll(text.utf8, to: STDERR_FILENO) }

  /// Writes lines that each begin with `devrun: `, or with blanks where they continue one.
  func say(_ text: String) {
    let lines = text.printable.split(separator: "\n", omittingEmptySubsequences: false)
    write(lines.enumerated().map { ($0 == 0 ? "devrun: " : "  ") + $1 + "\n" }.joined())
  }

  /// Tells a failure: what happened, why, and what to do.
  func show(_ message: ErrorMessage) {
    say(message.description)
  }

  /// Tells any failure.
  func show(_ error: any Error) {
    show((error as? any UserFacingError)?.message ?? ErrorMessage("\(error)"))
  }
}
