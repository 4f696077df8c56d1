import Foundation
import TestSupport

/// What a program wrote, and its exit status.
struct Outcome: Equatable {
  var status: Int32
  var output: String
  var errors: String

  /// The program devrun, which is built beside the tests.
  static let devrun = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("devrun").path

  init(status: Int32, output: String, errors: String) {
    self.status = status
    self.output = output
    self.errors = errors
  }

  /// Runs a program to its end, without input.
  init(
    of program: String, _ arguments: [String], environment: [String: String] = [:], in directory: String = "/"
  ) async throws {
    let files = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"].merging(environment) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: files.write("output", "")))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: files.write("errors", "")))
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in continuation.resume() }
      do {
        try process.run()
      } catch {
        process.terminationHandler = nil
        continuation.resume(throwing: error)
      }
    }
    status = process.terminationStatus
    output = try String(contentsOfFile: files.path("output"), encoding: .utf8)
    errors = try String(contentsOfFile: files.path("errors"), encoding: .utf8)
  }
}
