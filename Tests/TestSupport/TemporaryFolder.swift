internal import DevrunCore
internal import DevrunSystem
internal import Foundation
internal import Glibc
internal import Synchronization
internal import Testing

/// A folder of a test in the temporary directory. It is removed with all that is in it when the last reference goes.
///
/// Its path is short: the path of a Unix socket in it may have 107 bytes (unix(7)).
public final class TemporaryFolder: Sendable {
  /// The folder's absolute path, free of symbolic links.
  public let path: String
  private let isRemoved = Mutex(false)

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

  deinit { remove() }

  /// Removes the folder now. What cannot be removed is an issue of the running test.
  public func remove() {
    let wasRemoved = isRemoved.withLock { isRemoved in
      defer { isRemoved = true }
      return isRemoved
    }
    if wasRemoved { return }
    do { try Directory.removeTree(RawString(path)) } catch { Issue.record(error, "\(path) is not removed") }
  }

  /// Runs a body with a new folder.
  public static func with<Result>(_ body: (TemporaryFolder) throws -> Result) throws -> Result {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    return try body(folder)
  }

  /// Runs a body with a new folder.
  public static func with<Result>(_ body: (TemporaryFolder) async throws -> Result) async throws -> Result {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    return try await body(folder)
  }

  /// The path of a file of the folder.
  public func path(_ name: String) -> String { "\(path)/\(name)" }

  /// Makes a folder in the folder, with those on the way to it.
  ///
  /// - Returns: its path.
  /// - Throws: `CocoaError`
  @discardableResult
  public func makeFolder(_ name: String, mode: UInt32 = 0o755) throws -> String {
    try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    guard chmod(path(name), mode) == 0 else { throw CocoaError(.fileWriteNoPermission) }
    return path(name)
  }

  /// Writes a file of the folder, and makes the folders on the way to it.
  ///
  /// - Returns: its path.
  /// - Throws: `CocoaError`
  @discardableResult
  public func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws -> String {
    let file = URL(fileURLWithPath: path(name))
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
    guard chmod(path(name), mode) == 0 else { throw CocoaError(.fileWriteNoPermission) }
    return path(name)
  }

  /// The text of a file of the folder.
  ///
  /// - Throws: `CocoaError`
  public func text(of name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

  /// The names of all that is in the folder, or in a folder of it, sorted.
  ///
  /// - Throws: `CocoaError`
  public func names(in name: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path(name)).sorted()
  }

  /// The permissions of a file of the folder.
  ///
  /// - Throws: `CocoaError`
  public func mode(of name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path(name))
    guard let mode = attributes[.posixPermissions] as? NSNumber else { throw CocoaError(.fileReadUnknown) }
    return mode.intValue
  }
}

extension TemporaryFolder: CustomStringConvertible {
  /// The folder's path.
  public var description: String { path }
}
