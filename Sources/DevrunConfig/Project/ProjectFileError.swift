public import DevrunCore

/// Why a `devrun.yaml` cannot be read. A mistake within the file is a `YAMLError`.
public struct ProjectFileError: UserFacingError, Hashable {
  /// The file's path.
  public var path: String
  /// The cause in the C library's words.
  public var reason: String

  /// An error of the given parts.
  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// The error in words.
  public var message: ErrorMessage { ErrorMessage("cannot read \(path): \(reason)") }
}
