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
        remedy:
          "In azds-local.env, map it to another path (`${volumes.NAME|/other/path}`), or leave the path out and hand "
          + "the one that `${volumes.NAME}` stands for to the program."
          + (reason.mayBeForced ? " Or insist with `--force-volumes`." : ""))
    case .inaccessible(let path, let error):
      ErrorMessage("'\(path)' cannot be looked at", why: error.description)
    case .tooManyEntries(let path, let count):
      ErrorMessage(
        "nothing can be shown in '\(path)'",
        why: "the path is missing there, and the \(count) entries of the directory are too many to show beside it",
        remedy: "Make the missing directory on this machine.")
    case .notMounted(let path, let error):
      ErrorMessage("'\(path)' cannot be shown to the command", why: error.description)
    }
  }
}
