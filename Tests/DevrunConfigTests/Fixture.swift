import Foundation

/// The path of a file of fixtures/config.
func fixture(_ name: String, test: String = #filePath) -> String {
  URL(fileURLWithPath: test).deletingLastPathComponent().appendingPathComponent("../../fixtures/config/\(name)")
    .standardizedFileURL.path
}
