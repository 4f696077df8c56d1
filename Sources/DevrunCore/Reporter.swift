/// What a run reports while it goes on. The words on standard error and in the log are made of these.
public enum ReportEvent: Sendable {
  /// A step has begun that can take longer than a moment.
  case step(String)
  /// A step goes on: how many bytes of how many are done.
  case progress(String, done: Int, of: Int)
  /// A fact worth printing once: what is redirected where, what was restored.
  case fact(String)
  /// Something is not as it should be, and the run goes on.
  case warning(ErrorMessage)
  /// What only `--verbose` prints.
  case detail(String)
  /// A line that the container with the agent wrote: for the log alone.
  case agentLine(pod: String, String)
}

/// Prints or stores what a run reports.
public protocol Reporter: Sendable {
  /// Takes one event. Called from any thread; must not block for long.
  func report(_ event: ReportEvent)
}
