import Foundation
import Testing

/// A folder of a test's own, gone when the test's body ends.
struct Folder {
  let path: String

  /// Runs a body with a new folder.
  static func with<Result>(_ body: (Folder) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("devrun-config-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer {
      do {
        try FileManager.default.removeItem(at: url)
      } catch {
        Issue.record(error)
      }
    }
    return try body(Folder(path: url.path))
  }

  /// Writes a file, and the folders on the way to it; its absolute path.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    let url = URL(fileURLWithPath: "\(path)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    return url.path
  }
}

/// The path of a file of fixtures/config.
func fixture(_ name: String, test: String = #filePath) -> String {
  URL(fileURLWithPath: test).deletingLastPathComponent().appendingPathComponent("../../fixtures/config/\(name)")
    .standardizedFileURL.path
}
