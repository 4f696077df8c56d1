public import DevrunCore

/// A file of devrun's own configuration that is there, or was asked for, and cannot be read.
public struct ConfigFileError: UserFacingError, Hashable {
  /// The file's path.
  public var path: String
  /// The cause in the C library's words.
  public var reason: String

  /// An error of the given parts.
  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// What the person is told.
  public var message: ErrorMessage { ErrorMessage("cannot read \(path): \(reason)") }
}

extension File {
  /// The bytes of a file of devrun's own configuration.
  static func readConfiguration(_ path: String) throws -> [UInt8] {
    do {
      return try read(path)
    } catch {
      throw ConfigFileError(path: path, reason: error.reason)
    }
  }
}
