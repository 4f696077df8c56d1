public import DevrunCore

/// What this machine has at the paths at which volumes are to appear. Implemented by those who launch the command; asked by
/// the session before it changes anything in the cluster.
public protocol MachinePlaces: Sendable {
  /// Why a volume that nobody asked for does not appear at a path of its container; `nil`: it may.
  func obstacle(at path: RawString) -> PlaceObstacle?

  /// Checks that all that a plan wants to be seen can be shown.
  ///
  /// - Throws: what cannot be shown, and why.
  func check(_ plan: LaunchPlan) throws
}

/// Why a volume that nobody asked for does not appear at a path.
public struct PlaceObstacle: Sendable, Hashable {
  /// The reason, in words.
  public var why: String
  /// Whether something of this machine is at the path.
  public var isOccupied: Bool
  /// Whether the volume appears there if a file asks for it.
  public var mayBeAskedFor: Bool

  /// An obstacle at a path where nothing is.
  public init(_ why: String, isOccupied: Bool = false, mayBeAskedFor: Bool = false) {
    self.why = why
    self.isOccupied = isOccupied
    self.mayBeAskedFor = mayBeAskedFor
  }
}
