internal import DevrunCore
internal import DevrunKube

/// The number by which `kubectl rollout history` and `rollout undo` name a template.
enum Revision {
  private static let history = "deployment.kubernetes.io/revision-history"

  /// A ReplicaSet's number, and what makes it that.
  struct Settled: Hashable {
    var revision: String
    var operations: [JSONPatchOperation]
  }

  /// The number that the ReplicaSet of the present template would have without devrun.
  ///
  /// The present one always has the greatest. It is the recorded one where that is still so, because nobody changed the
  /// template in a way that counts; else the next after all others.
  ///
  /// - Parameters:
  ///   - set: the ReplicaSet of the present template.
  ///   - others: the team's other ReplicaSets.
  ///   - recorded: what `set` was before the session; `nil` if it was not the present one then.
  static func settled(
    _ set: KubeObject, others: [KubeObject], recorded: OriginalRecord.ReplicaSetRecord?
  ) -> Settled {
    let highest = others.compactMap { number($0.annotations[DeploymentRedirect.revision]) }.max() ?? 0
    let before = number(recorded?.annotations?[DeploymentRedirect.revision]?.string).flatMap { $0 > highest ? $0 : nil }
    let revision = "\(before ?? highest + 1)"
    var operations: [JSONPatchOperation] = []
    if set.annotations[DeploymentRedirect.revision] != revision {
      operations.append(
        set.metadata["annotations"] == nil
          ? .add(["metadata", "annotations"], [DeploymentRedirect.revision: .string(revision)])
          : .add(["metadata", "annotations", DeploymentRedirect.revision], .string(revision)))
    }
    if before != nil {
      let pointer: JSONPointer = ["metadata", "annotations", history]
      switch (recorded?.annotations?[history]?.string, set.annotations[history]) {
      case (let wanted?, let present) where wanted != present: operations.append(.add(pointer, .string(wanted)))
      case (nil, .some): operations.append(.remove(pointer))
      default: break
      }
    }
    return Settled(revision: revision, operations: operations)
  }

  private static func number(_ text: String?) -> Int? { text.flatMap { Int($0) } }
}
