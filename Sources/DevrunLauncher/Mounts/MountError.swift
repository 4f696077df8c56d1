public import DevrunCore
public import DevrunSystem

/// Why the child cannot be given the view of files that was asked for.
public enum MountError: UserFacingError, Hashable {
  /// The target is a relative path.
  case notAbsolute(RawString)
  /// The target would hide what is needed there.
  case hides(RawString, ProtectedPaths.Reason)
  /// The path cannot be looked at.
  case inaccessible(RawString, Errno)
  /// The target is missing in a directory with so many entries that they cannot be shown beside it.
  case tooManyEntries(RawString, Int)
  /// Something is in the way at the second path, in a directory to which the user may write.
  case occupied(RawString, by: RawString)
  /// The mount point cannot be made.
  case notMade(RawString, Errno)
  /// No record of mount points can be kept, so that none is made at this path.
  case noMountPoint(RawString)
  /// The target is missing in a directory that holds the working directory, to which no path would lead any more.
  case losesWorkingDirectory(RawString)
  /// The kernel refuses a mount at this path.
  case notMounted(RawString, Errno)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .notAbsolute(let path):
      ErrorMessage("'\(path)' is no absolute path, and so no place to show a volume at")
    case .hides(let path, let reason):
      ErrorMessage(
        "a volume is not shown at '\(path)'", why: reason.description,
        remedy: Self.otherPath
          + (reason.mayBeForced ? " Or insist with `--force-volumes`." : ""))
    case .inaccessible(let path, let error):
      ErrorMessage("'\(path)' cannot be looked at", why: error.description, remedy: Self.otherPath)
    case .tooManyEntries(let path, let count):
      ErrorMessage(
        "nothing can be shown in '\(path)'",
        why: "the path is missing there, and the \(count) entries of the directory are too many to show beside it",
        remedy: "Make the missing directory on this machine.")
    case .occupied(let path, let way):
      ErrorMessage(
        "a volume is not shown at '\(path)'",
        why: "'\(way)' is something else, and cannot give way without its directory, where this user may write",
        remedy: Self.otherPath + " Or insist with `--force-volumes`: what is made in that directory is lost then.")
    case .notMade(let path, let error):
      ErrorMessage(
        "'\(path)' cannot be made, for a volume to be shown at", why: error.description, remedy: Self.otherPath)
    case .noMountPoint(let path):
      ErrorMessage("'\(path)' is not made: nobody would remove it")
    case .losesWorkingDirectory(let path):
      ErrorMessage(
        "nothing can be shown in '\(path)'",
        why: "the working directory is in there, and this user cannot go to it by its path",
        remedy: "Start devrun in another directory.")
    case .notMounted(let path, let error):
      ErrorMessage("'\(path)' cannot be shown to the command", why: error.description)
    }
  }

  private static let otherPath =
    "In azds-local.env, map it to another path (`${volumes.NAME|/other/path}`), or leave the path out and hand the one "
    + "that `${volumes.NAME}` stands for to the program."
}
