// The status of a Deployment: its counts and conditions.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

extension DeploymentPlan {
  /// Whether the rollout has a time in which it must go on.
  var hasDeadline: Bool {
    guard let seconds = deployment.spec["progressDeadlineSeconds"]?.int else { return false }
    return seconds < Int32.max
  }

  /// The condition that is about the rollout.
  var progressing: StatusCondition? { deployment.condition("Progressing") }

  /// Gives a condition a status and a reason, unless it has them.
  ///
  /// - Parameter renewing: writes it also if it has them, with a new time of its last update.
  mutating func setCondition(
    _ type: String, _ value: String, _ reason: String, _ message: String, renewing: Bool = false
  ) {
    let present = deployment.condition(type)
    let isSame = present?.value == value
    if !renewing, isSame, present?.reason == reason { return }
    var fresh = StatusCondition(type, value, reason, message, since: situation.now)
    fresh.json["lastUpdateTime"] = .string(situation.now.apiTime)
    if isSame, let before = present?.json["lastTransitionTime"] { fresh.json["lastTransitionTime"] = before }
    deployment.set(condition: type, fresh)
  }

  /// Sets the condition of a rollout that somebody has paused, or resumed.
  mutating func noteWhetherPaused() {
    let reason = progressing?.reason
    guard hasDeadline, reason != "ProgressDeadlineExceeded" else { return }
    if isPaused, reason != "DeploymentPaused" {
      setCondition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    } else if !isPaused, reason == "DeploymentPaused" {
      setCondition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    }
  }

  /// Whether a status is that of a rollout that is done.
  func isComplete(_ status: JSONValue) -> Bool {
    let wanted = deployment.desiredReplicas
    return ["updatedReplicas", "replicas", "availableReplicas"].allSatisfy { status[$0]?.int ?? 0 == wanted }
      && status["observedGeneration"]?.int ?? 0 >= deployment.generation
  }

  /// Writes the status of a Deployment whose rollout does not go on.
  mutating func writeStatus() {
    setCounts()
    write()
  }

  /// Writes the status of a Deployment whose rollout goes on, or is done.
  mutating func writeProgress() {
    let before = situation.deployment.status
    setCounts()
    setProgress(since: before)
    write()
  }

  /// Writes the status, and with it the annotation that has the revision, if they have changed.
  mutating func write() {
    guard deployment != written else { return }
    written = deployment
    append(.update(.deployment, deployment, .status))
  }

  private mutating func setCounts() {
    func sum(_ name: String) -> Int { sets.reduce(0) { $0 + $1.statusCount(name) } }
    let available = sum("availableReplicas")
    let counts = [
      "observedGeneration": deployment.generation,
      "replicas": sum("replicas"),
      "updatedReplicas": current?.statusCount("replicas") ?? 0,
      "readyReplicas": sum("readyReplicas"),
      "availableReplicas": available,
      "unavailableReplicas": max(0, sets.reduce(0) { $0 + $1.desiredReplicas } - available),
    ]
    for (name, count) in counts { deployment.setStatus(name, count == 0 ? nil : .int(Int64(count))) }
    if available >= deployment.desiredReplicas - limits.unavailable {
      setCondition(
        "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
      setCondition(
        "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    }
  }

  private mutating func setProgress(since before: JSONValue) {
    setFailure()
    guard hasDeadline else { return deployment.set(condition: "Progressing", nil) }
    let status = deployment.status
    func count(_ name: String, in status: JSONValue) -> Int { status[name]?.int ?? 0 }
    let (replicas, updated) = (count("replicas", in: status), count("updatedReplicas", in: status))
    guard replicas != updated || progressing?.reason != "NewReplicaSetAvailable" else { return }
    let what = current.map { "ReplicaSet \"\($0.name)\"" } ?? "Deployment \"\(deployment.name)\""
    let hasProgressed =
      updated > count("updatedReplicas", in: before)
      || replicas - updated < count("replicas", in: before) - count("updatedReplicas", in: before)
      || count("readyReplicas", in: status) > count("readyReplicas", in: before)
      || count("availableReplicas", in: status) > count("availableReplicas", in: before)
    if isComplete(status) {
      setCondition("Progressing", "True", "NewReplicaSetAvailable", "\(what) has successfully progressed.")
    } else if hasProgressed {
      setCondition("Progressing", "True", "ReplicaSetUpdated", "\(what) is progressing.", renewing: true)
    } else if let rest = secondsToDeadline, rest <= 0 {
      setCondition("Progressing", "False", "ProgressDeadlineExceeded", "\(what) has timed out progressing.")
    }
    lookAgainAfter = secondsToDeadline
  }

  private mutating func setFailure() {
    guard let failure = sets.lazy.compactMap({ $0.condition("ReplicaFailure") }).first else {
      return deployment.set(condition: "ReplicaFailure", nil)
    }
    setCondition("ReplicaFailure", failure.value, failure.reason, failure.message)
  }

  /// How long the rollout may still take until its next step. `nil` if it has failed or is done, or has not begun.
  private var secondsToDeadline: TimeInterval? {
    guard let progressing, let seconds = deployment.spec["progressDeadlineSeconds"]?.int,
      !["NewReplicaSetAvailable", "ProgressDeadlineExceeded"].contains(progressing.reason),
      let updated = progressing.update
    else { return nil }
    return updated.addingTimeInterval(TimeInterval(seconds)).timeIntervalSince(situation.now)
  }
}
