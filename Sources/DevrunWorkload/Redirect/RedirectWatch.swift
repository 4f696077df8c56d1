internal import DevrunCore
package import DevrunKube

/// Keeps a Deployment redirected while colleagues work on it: sets devrun's own fields again after an apply, keeps
/// everything else that was changed, and notices when the redirection itself was taken away.
package struct RedirectWatch: Sendable {
  /// What happened to the Deployment.
  package enum Event: Sendable, Hashable {
    /// Somebody set devrun's fields to something else, and devrun has set them again. `by` is the field manager.
    case setAgain(by: String?)
    /// Somebody took the redirection away, or does so again and again, or the cluster refuses to have it set up again: it
    /// is not fought. `by` is the field manager, or devrun's own command.
    case removed(by: String?)
    /// What devrun does to keep the Deployment redirected failed more than once: why. It is tried again.
    case troubled(String)
    /// The Deployment was deleted.
    case deleted
    /// The Deployment was paused: new pods keep the old template.
    case paused
  }

  /// The Deployment's namespace.
  var namespace: Namespace
  /// The Deployment's name.
  var name: String
  /// What devrun puts into the template.
  var agent: AgentTemplate
  /// The session that redirected it.
  var session: String

  /// A watch of a Deployment that a session redirected.
  package init(of name: String, in namespace: Namespace, agent: AgentTemplate, session: String) {
    self.name = name
    self.namespace = namespace
    self.agent = agent
    self.session = session
  }

  /// What the watch has seen so far.
  private struct Memory {
    var record: OriginalRecord?
    var resets = ResetCount()
    var isPaused = false
    /// Who had written the template when it was seen last.
    var writers: Set<String>?
    var failures = RepeatedFailure()
  }

  /// Watches until the task is cancelled or there is nothing to watch any more: the redirection was taken away, or the
  /// Deployment was deleted. Goes on after any failure that may pass, with longer and longer pauses.
  ///
  /// - Parameter handle: gets each event.
  /// - Throws: `CancellationError`
  package func run(_ handle: @escaping @Sendable (Event) -> Void) async throws {
    var memory = Memory()
    let events = namespace.client.persistentWatch(object: path) { condition in
      if case .troubled(let error) = condition { handle(.troubled("\(error)")) }
    }
    for try await event in events {
      switch event {
      case .snapshot(let deployments):
        guard let deployment = deployments.first else { return handle(.deleted) }
        if try await settle(deployment, &memory, handle) { return }
      case .added(let deployment), .modified(let deployment):
        if try await settle(deployment, &memory, handle) { return }
      case .deleted: return handle(.deleted)
      }
    }
  }

  private var path: ResourcePath { namespace.deployments.named(name) }

  /// Reviews the Deployment, again and again until that succeeds or a refusal is final.
  ///
  /// - Returns: whether the watch is over.
  private func settle(
    _ deployment: KubeObject, _ memory: inout Memory, _ handle: (Event) -> Void
  ) async throws -> Bool {
    var known: KubeObject? = deployment
    var pauses = Backoff(first: .milliseconds(250), limit: .seconds(60))
    while true {
      do {
        var present = known
        if present == nil { present = try await namespace.find(path) }
        var isOver = false
        // That it was deleted is the next event.
        if let present { isOver = try await review(present, &memory, handle) }
        memory.failures.succeeded()
        return isOver
      } catch {
        try Task.checkCancellation()
        if Self.isFinal(error) {
          handle(.troubled("\(error)"))
          handle(.removed(by: RedirectReview.lastManager(of: deployment)))
          return true
        }
        if let why = memory.failures.failed(error) { handle(.troubled(why)) }
      }
      known = nil
      await pauses.pause()
      try Task.checkCancellation()
    }
  }

  /// Whether the same write will be refused however often it is tried: the object is invalid, a policy of the cluster
  /// forbids it, or the record does not fit.
  static func isFinal(_ error: any Error) -> Bool {
    switch error {
    case let error as KubeError: error.status?.code == 422 || error.status?.refusal == .policy
    case WorkloadError.recordTooLarge: true
    default: false
    }
  }

  /// Looks at the Deployment, and sets devrun's fields again where that is needed.
  ///
  /// - Returns: whether the watch is over.
  private func review(
    _ deployment: KubeObject, _ memory: inout Memory, _ handle: (Event) -> Void
  ) async throws -> Bool {
    let isPaused = deployment.spec["paused"]?.bool ?? false
    if isPaused, !memory.isPaused { handle(.paused) }
    memory.isPaused = isPaused
    guard let record = try await record(on: deployment, memory) else {
      handle(.removed(by: try await remover(deployment, memory)))
      return true  // There is nothing by which devrun could set its fields again.
    }
    memory.record = record
    let manager = RedirectReview.lastManager(of: deployment)
    switch RedirectReview.of(deployment, record: record, agent: agent) {
    case .untouched:
      memory.writers = RedirectReview.writers(of: deployment)
      if ManagedFields.haveDevrun(deployment.managedFields) {
        // A write was broken off before the owners were put back.
        try await namespace.putOwnersBack(path, record.managedFields, on: deployment)
      }
      return false
    case .setAgain(let renewed, let template) where !memory.resets.isController(manager, at: .now):
      let operations = try RedirectReview.patch(of: deployment, renewed, template: template)
      let changed: KubeObject
      do {
        changed = try await namespace.client.patch(path, operations)
      } catch let error as KubeError where error.isConflict || error.isNotFound {
        return false  // It has changed again, which is the next event.
      }
      memory.record = renewed
      memory.writers = RedirectReview.writers(of: deployment)
      memory.resets.count(manager, at: .now)
      handle(.setAgain(by: manager))
      try await namespace.complete(renewed, changed)
      return false
    case .setAgain:
      handle(.removed(by: manager))
      return true
    case .removed:
      handle(.removed(by: try await remover(deployment, memory)))
      return true
    }
  }

  /// Who took the redirection away.
  private func remover(_ deployment: KubeObject, _ memory: Memory) async throws -> String? {
    RedirectReview.remover(
      of: deployment, session: session, writersBefore: memory.writers,
      isBeingRestored: try await isBeingRestored(deployment))
  }

  /// Whether a restore is under way: it begins and ends with the record's ConfigMap.
  private func isBeingRestored(_ deployment: KubeObject) async throws -> Bool {
    do {
      let map = try await namespace.find(namespace.configMaps.named(DeploymentRestore.recordName(session)))
      return map.map { DeploymentRestore.holdsRecord($0, of: session, for: deployment) } ?? false
    } catch let error as KubeError where error.isForbidden {
      return false
    }
  }

  /// The session's record: the Deployment's own, else the one that was seen last, else one that the controller copied.
  private func record(on deployment: KubeObject, _ memory: Memory) async throws -> OriginalRecord? {
    if DeploymentRestore.holdsRecord(of: session, deployment) { return try OriginalRecord.read(from: deployment) }
    if let record = memory.record { return record }
    do {
      return try await DeploymentRestore(of: name, in: namespace).records(on: deployment)
        .first { $0.session == session }
    } catch WorkloadError.recordUnreadable {
      return nil
    }
  }
}

/// Decides which failures of repeated work are reported: the second of one kind in a row, once.
struct RepeatedFailure {
  private var kind: String?
  private var count = 0

  /// Counts a failure.
  ///
  /// - Returns: why it failed, if that is to be reported.
  mutating func failed(_ error: any Error) -> String? {
    let new = Self.kind(error)
    count = new == kind ? count + 1 : 1
    kind = new
    return count == 2 ? "\(error)" : nil
  }

  /// Forgets the failures: the work succeeded.
  mutating func succeeded() { (kind, count) = (nil, 0) }

  /// What failures have in common that are reported once: the words differ from one to the next.
  private static func kind(_ error: any Error) -> String {
    guard let error = error as? KubeError else { return String(reflecting: error) }
    if error.isTransient { return "away" }
    return error.status.map { "status \($0.code)" } ?? error.message.what
  }
}
