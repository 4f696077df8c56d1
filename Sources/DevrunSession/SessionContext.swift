internal import DevrunCore
internal import DevrunKube
internal import DevrunWorkload
internal import FoundationEssentials
internal import NIOCore

/// What the parts of a session share: who it is, where it works, and who gets the news.
struct SessionContext: Sendable {
  /// The session's name.
  var name: String
  /// The namespace in which the session works.
  var namespace: Namespace
  /// Who holds the session, as `user@machine`.
  var holder: String
  /// Who gets the news.
  var reporter: any Reporter
  /// Whether the restore still waits for what it should.
  var urgency: RestoreUrgency
  /// What the session has started.
  var services: Services
  /// How long the end of the session endures failures that pass.
  var patience: Patience
  /// What of the session others have deleted.
  var losses: Losses
  /// How long a start may take.
  var startTimeout: Duration
  /// The command lines of a restore, for messages.
  var restoreCommand: RestoreCommandLine
  /// The event loop of the tunnels.
  var loop: any EventLoop

  /// Now, as RFC 3339 has it.
  static func now() -> String { Date.now.formatted(.iso8601) }
}

/// Does work that must not be broken off: it goes on when the caller's task is cancelled.
///
/// - Throws: what the work throws.
func withoutCancellation<Value: Sendable, Failure: Error>(
  _ work: @escaping @Sendable () async throws(Failure) -> Value
) async throws(Failure) -> Value {
  let task = Task<Result<Value, Failure>, Never> {
    do throws(Failure) { return .success(try await work()) } catch { return .failure(error) }
  }
  return try await task.value.get()
}
