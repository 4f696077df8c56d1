public import DevrunCore

/// What this machine has at the paths at which volumes are to appear. Implemented by those who launch the command; asked by
/// the session before it changes anything in the cluster.
public protocol MachinePlaces: Sendable {
  /// Why a volume that nobody asked for does not appear at a path of its container; `nil`: it may.
  func obstacle(at path: RawString) -> String?

  /// Checks that all that a plan wants to be seen can be shown.
  ///
  /// - Throws: what cannot be shown, and why.
  func check(_ plan: LaunchPlan) throws
}
