internal import DevrunCore
package import DevrunKube

/// Keeps a Deployment redirected while colleagues work on it: sets devrun's own fields again after an apply, keeps
/// everything else that was changed, and notices when the redirection itself was taken away.
package struct RedirectWatch: Sendable {
  /// What happened to the Deployment.
  package enum Event: Sendable, Hashable {
    /// Somebody set devrun's fields to something else, and devrun has set them again. `by` is the field manager.
    case setAgain(by: String?)
    /// Somebody took the redirection away, or does so again and again: it is not fought.
    case removed(by: String?)
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
  }

  /// Watches until the task is cancelled or there is nothing to watch any more: the redirection was taken away, or the
  /// Deployment was deleted. Goes on after any failure of the API server, with longer and longer pauses.
  ///
  /// - Parameter handle: gets each event.
  /// - Throws: `CancellationError`
  package func run(_ handle: @Sendable (Event) -> Void) async throws {
    var memory = Memory()
    var pauses = Backoff(first: .milliseconds(250), limit: .seconds(60))
    while true {
      do {
        for try await event in namespace.client.watch(object: namespace.deployments.named(name)) {
          switch event {
          case .snapshot(let deployments):
            guard let deployment = deployments.first else { return handle(.deleted) }
            if try await review(deployment, &memory, handle) { return }
          case .added(let deployment), .modified(let deployment):
            if try await review(deployment, &memory, handle) { return }
          case .deleted: return handle(.deleted)
          }
          pauses = Backoff(first: pauses.first, limit: pauses.limit)
        }
      } catch {
        try Task.checkCancellation()
      }
      await pauses.pause()
      try Task.checkCancellation()
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
      handle(.removed(by: RedirectReview.lastManager(of: deployment)))
      return true  // There is nothing by which devrun could set its fields again.
    }
    memory.record = record
    let path = namespace.deployments.named(name)
    let manager = RedirectReview.lastManager(of: deployment)
    switch RedirectReview.of(deployment, record: record, agent: agent) {
    case .untouched:
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
      memory.resets.count(manager, at: .now)
      handle(.setAgain(by: manager))
      try await namespace.complete(renewed, changed)
      return false
    case .removed, .setAgain:
      handle(.removed(by: manager))
      return true
    }
  }

  /// The session's record: the Deployment's own, else the one that was seen last, else one that the controller copied.
  private func record(on deployment: KubeObject, _ memory: Memory) async throws -> OriginalRecord? {
    if DeploymentRestore.holdsRecord(of: session, deployment) { return try OriginalRecord.read(from: deployment) }
    if let record = memory.record { return record }
    return try await DeploymentRestore(of: name, in: namespace).records(on: deployment)
      .first { $0.session == session }
  }
}
