internal import DevrunCore
internal import DevrunKube
internal import DevrunWorkload

/// Which sessions a restore ends.
struct RestoreChoice: Sendable {
  /// The sessions that it ends.
  var chosen: [LeftSession] = []
  /// Live sessions of others, which it leaves alone.
  var leftAlone: [LeftSession] = []
  /// The names that cannot be restored, and why.
  var failures: [String] = []

  /// Everything that dead sessions, or one's own, have changed or made.
  static func all(_ sessions: [LeftSession], holder: String) -> RestoreChoice {
    var choice = RestoreChoice()
    for session in sessions { choice.take(session, if: session.isFree(for: holder)) }
    return choice
  }

  fileprivate mutating func take(_ session: LeftSession, if isChosen: Bool) {
    if isChosen { chosen.append(session) } else { leftAlone.append(session) }
  }
}

extension LeftSession {
  /// Whether somebody may end the session without having named it: it is dead, or their own.
  fileprivate func isFree(for holder: String) -> Bool { !isAlive || self.holder == holder }
}

/// A ConfigMap was named that is no session's.
private struct NothingLeft: UserFacingError {
  var message: ErrorMessage { ErrorMessage("no session has left a ConfigMap of this name") }
}

/// Finds the sessions that names mean.
///
/// A name means first what sessions have left, whether what it was made for is still there or not. Only a name that means
/// nothing of this kind is looked up as a target. What is known of a Deployment is read from this one object.
struct RestoreSearch: Sendable {
  typealias Redirected = DeploymentRestore.Redirected

  /// The pods of sessions.
  var pods: [KubeObject]
  /// The ConfigMaps of sessions; `nil` where they may not be listed.
  var configMaps: [KubeObject]?
  /// Who restores, as `user@machine`.
  var holder: String
  /// The sessions that changed a Deployment; `nil` if there is no such Deployment.
  var redirected: @Sendable (_ deployment: String) async throws -> [Redirected]?
  /// The sessions that changed any Deployment.
  var allRedirected: @Sendable () async throws -> [Redirected]
  /// The Deployment that a target stands for.
  var deployment: @Sendable (TargetReference) async throws -> String

  /// What the names mean so far.
  private struct Found {
    /// Deployments that are named, also by what leads to them.
    var deployments: Set<String> = []
    /// Sessions of which an object is named.
    var sessions: Set<String> = []
    /// The sessions that changed the Deployments, by Deployment.
    var redirected: [String: [Redirected]] = [:]
  }

  /// Finds the sessions. A name that cannot be restored does not hold up the others.
  func sessions(named references: [RestoreReference]) async -> RestoreChoice {
    var (found, choice) = (Found(), RestoreChoice())
    for reference in references {
      do {
        try await find(reference, &found)
      } catch {
        choice.failures.append("\(reference): \(error)")
      }
    }
    let sessions = LeftSessions.gather(
      redirected: found.redirected.values.flatMap { $0 }, pods: pods, configMaps: configMaps)
    for session in sessions {
      if found.sessions.contains(session.name) {
        choice.chosen.append(session)
      } else if let deployment = session.deployment, found.deployments.contains(deployment) {
        // Others only run beside the Deployment: its name does not mean them.
        choice.take(session, if: session.isRedirecting || session.isFree(for: holder))
      }
    }
    return choice
  }

  private func find(_ reference: RestoreReference, _ found: inout Found) async throws {
    switch reference {
    case .configMap(let name):
      let map = configMaps?.first { $0.name == name }
      guard let session = map.flatMap(LeftSession.session(ofConfigMap:)) else {
        throw NothingLeft()
      }
      // Agents may still need it.
      for redirect in try await allRedirected() where redirect.session == session {
        found.redirected[redirect.name] = try await redirected(redirect.name)
      }
      found.sessions.insert(session)
    case .target(let target):
      if target.kind.singular == "pod", let pod = pods.first(where: { $0.name == target.name }),
        let session = LeftSession.session(ofPod: pod)
      {
        try await find(pod, of: session, &found)
      } else {
        try await find(target, &found)
      }
    }
  }

  private func find(_ pod: KubeObject, of session: String, _ found: inout Found) async throws {
    if let deployment = LeftSession.deployment(ofPod: pod) {
      do {
        found.redirected[deployment] = try await redirected(deployment)
      } catch let error as KubeError where error.isForbidden {
        // Whoever may not read it can end the pod alone.
      }
    }
    found.sessions.insert(session)
  }

  private func find(_ target: TargetReference, _ found: inout Found) async throws {
    var name = target.name
    if target.kind.singular != "deployment" { name = try await deployment(target) }
    if let sessions = try await redirected(name) {
      found.redirected[name] = sessions
    } else if !pods.contains(where: { LeftSession.deployment(ofPod: $0) == name }) {
      name = try await deployment(target)
    }
    found.deployments.insert(name)
  }
}
