import Foundation
import Glibc
import Testing

@testable import DevrunSession

/// A folder for one test, which goes with all that is in it.
final class ScratchFolder {
  let path: String

  /// The name is short: the path of a Unix socket in it may have 107 bytes (unix(7)).
  init() throws {
    var template = Array("/tmp/devrun-test-XXXXXX".utf8CString)
    path = try #require(
      template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } })
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The mode of a file in it.
  func mode(_ name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
    return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
  }

  /// The names of what is in it, or in a folder of it.
  func names(_ folder: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)").sorted()
  }

  /// Makes a folder of a mode.
  func make(_ name: String, mode: mode_t = 0o700) {
    mkdir("\(path)/\(name)", mode)
    chmod("\(path)/\(name)", mode)
  }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
  }

  func text(of name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
}
