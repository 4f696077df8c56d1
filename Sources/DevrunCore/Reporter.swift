/// What a run reports while it goes on. The words on standard error and in the log are made of these.
public enum ReportEvent: Sendable {
  /// A step has begun that can take longer than a moment.
  case step(String)
  /// A step goes on: how many bytes of how many are done.
  case progress(String, done: Int, of: Int)
  /// A step takes long: what it waits for, in the words of whoever holds it up.
  case waiting(String)
  /// Nothing is under way any more: the command runs, or all is done.
  case idle
  /// A fact worth printing once: what is redirected where, what was restored.
  case fact(String)
  /// Something is not as it should be, and the run goes on.
  case warning(ErrorMessage)
  /// What ends the run, or keeps it from beginning.
  case failure(ErrorMessage)
  /// An answer to what the user has just done, such as a second Ctrl-C.
  case answer(String)
  /// What only `--verbose` prints.
  case detail(String)
  /// A line for the log alone.
  case record(String)
  /// A line that the container with the agent wrote: for the log alone.
  case agentLine(pod: String, String)

  /// The event with each of its texts replaced.
  public func mapTexts(_ transform: (String) -> String) -> ReportEvent {
    func map(_ message: ErrorMessage) -> ErrorMessage {
      ErrorMessage(transform(message.what), why: message.why.map(transform), remedy: message.remedy.map(transform))
    }
    return switch self {
    case .step(let text): .step(transform(text))
    case .progress(let text, let done, let total): .progress(transform(text), done: done, of: total)
    case .waiting(let text): .waiting(transform(text))
    case .idle: .idle
    case .fact(let text): .fact(transform(text))
    case .warning(let message): .warning(map(message))
    case .failure(let message): .failure(map(message))
    case .answer(let text): .answer(transform(text))
    case .detail(let text): .detail(transform(text))
    case .record(let text): .record(transform(text))
    case .agentLine(let pod, let line): .agentLine(pod: pod, transform(line))
    }
  }
}

/// Prints or stores what a run reports.
public protocol Reporter: Sendable {
  /// Takes one event. Called from any thread; must not block for long.
  func report(_ event: ReportEvent)
}

extension Reporter {
  /// Reports an error that ends the run.
  public func report(failure error: any Error) {
    report(.failure((error as? any UserFacingError)?.message ?? ErrorMessage("\(error)")))
  }
}
