public import DevrunCore

/// What a session tells while it goes: the words on stderr are made of these.
public enum SessionEvent: Sendable {
  /// A step has begun that can take longer than a moment.
  case step(String)
  /// A step goes on: how many bytes of how many are done.
  case progress(String, done: Int, of: Int)
  /// A fact worth knowing once: what is redirected where, what was restored.
  case fact(String)
  /// Something is not as it should be, and the session goes on.
  case warning(ErrorMessage)
  /// What only `--verbose` shows.
  case detail(String)
  /// A line that the container with the agent wrote: for the session's log alone.
  case agentLine(pod: String, String)
}

/// Who is told what a session does.
public protocol SessionObserver: Sendable {
  /// Tells one event. Called from any thread; must not block for long.
  func tell(_ event: SessionEvent)
}
