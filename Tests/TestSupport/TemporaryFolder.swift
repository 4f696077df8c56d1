import Foundation
internal import Glibc

/// A folder of a test in the temporary directory. It is removed with all that is in it when the last reference goes.
public final class TemporaryFolder: Sendable {
  /// The folder's absolute path, free of symbolic links.
  public let path: String

  /// Makes the folder.
  ///
  /// - Parameter mode: who may use it; by default its owner alone.
  /// - Throws: `CocoaError` if the folder cannot be made.
  public init(mode: UInt32 = 0o700) throws {
    var template = Array("/tmp/devrun-test-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template).map({ String(cString: $0) }), chmod(path, mode) == 0 else {
      throw CocoaError(.fileWriteUnknown)
    }
    self.path = path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file of the folder.
  public func path(_ name: String) -> String { "\(path)/\(name)" }

  /// Makes a folder in the folder, with those on the way to it.
  ///
  /// - Returns: its path.
  /// - Throws: `CocoaError`
  @discardableResult
  public func makeFolder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    return path(name)
  }

  /// Writes a file of the folder.
  ///
  /// - Returns: its path.
  /// - Throws: `CocoaError`
  @discardableResult
  public func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    guard chmod(path(name), mode) == 0 else { throw CocoaError(.fileWriteNoPermission) }
    return path(name)
  }
}
