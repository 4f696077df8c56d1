import DevrunPlan
import DevrunSystem
import TestSupport

/// Runs a program as whoever runs the tests and returns when it and all that hold its output have ended.
///
/// - Parameter expected: how the program must end; `nil`: in any way.
@discardableResult
func run(
  _ command: [String], input: String = "", expecting expected: WaitStatus? = .exited(0),
  within limit: Duration = .seconds(90), fileID: String = #fileID, line: Int = #line
) async throws -> Outcome {
  try await TestProcess.run(
    command, environment: .current, input: input, expecting: expected, within: limit, fileID: fileID, line: line)
}
