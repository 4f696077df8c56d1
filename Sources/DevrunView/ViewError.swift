public import DevrunCore
public import DevrunSystem

/// Why the command cannot see what it is to see.
public enum ViewError: UserFacingError, Hashable {
  /// The session's folder cannot be made.
  case noSessionDirectory(String, Errno)
  /// A volume holds more than devrun copies; `bytes` where it was measured before.
  case volumeTooLarge(String, bytes: Int?, limit: Int)
  /// A part of a volume that a file names is not there.
  case emptyPart(String)
  /// A file or folder of the session cannot be made, replaced or removed.
  case cannotChange(String, Errno)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .noSessionDirectory(let path, let error):
      ErrorMessage("no folder for the session could be made in \(path)", why: error.description)
    case .volumeTooLarge(let volume, let bytes, let limit):
      ErrorMessage(
        "volume \(volume) is not copied: it holds "
          + (bytes.map(ByteCount.text) ?? "more than \(ByteCount.text(limit))"),
        why: "the limit is \(ByteCount.text(limit)) a volume",
        remedy: "raise it with --volume-limit, or name a part of the volume in azds-local.env: "
          + "${volumes.\(volume)/folder/*.txt}")
    case .emptyPart(let part):
      ErrorMessage(
        "there is no ${volumes.\(part)} in the container", why: "the volume holds nothing of that name",
        remedy: "see what it holds with ${volumes.\(part.prefix { $0 != "/" })}")
    case .cannotChange(let path, let error):
      ErrorMessage("\(path) cannot be changed", why: error.description)
    }
  }
}
