@testable import DevrunConfig
import DevrunSystem
import Foundation

/// The path of a file of fixtures/config.
func fixture(_ name: String, test: String = #filePath) -> String {
  URL(fileURLWithPath: test).deletingLastPathComponent().appendingPathComponent("../../fixtures/config/\(name)")
    .standardizedFileURL.path
}

extension ProjectFile {
  /// The path of the nearest file, for the user of the tests.
  static func find(from directory: String) throws -> String? {
    try find(from: directory, trust: ProjectTrust(environment: [:]))
  }
}

extension EnvironmentFiles {
  /// The paths of the nearest files, for the user of the tests.
  static func find(from directory: String) throws -> [String] {
    try find(from: directory, trust: ProjectTrust(environment: [:]), option: "--env-file")
  }
}
