import Foundation

/// What the environment says about a run of this suite. `make e2e` sets `DEVRUN_E2E=1`.
struct Settings: Sendable {
  /// The project's root: three folders above this file.
  static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardizedFileURL
    .path

  /// Whether the suite was asked for.
  static var isAskedFor: Bool { variable("DEVRUN_E2E") == "1" }

  /// `DEVRUN`: the binary under test.
  let devrun = variable("DEVRUN") ?? "\(root)/build/bin/devrun"
  /// `DEVRUN_E2E_IMAGE`: an image with busybox, for everything that the tests run in the cluster.
  let image = variable("DEVRUN_E2E_IMAGE")
  /// `DEVRUN_E2E_SCRATCH_IMAGE`: an image that holds one static binary which waits.
  let scratchImage = variable("DEVRUN_E2E_SCRATCH_IMAGE")
  /// `DEVRUN_E2E_KUBE`: a script whose `image` and `load` make images for the cluster's node.
  let kube = variable("DEVRUN_E2E_KUBE")
  /// `DEVRUN_E2E_PYTHONPATH`: a folder with Python's package `kubernetes`, which the tests' user can read.
  static let pythonPath = variable("DEVRUN_E2E_PYTHONPATH")
  /// `DEVRUN_E2E_RIGGED`: a devrun whose agent sends hostile archives (`make rigged`).
  static let rigged = variable("DEVRUN_E2E_RIGGED")
  /// `DEVRUN_E2E_CLUSTER_CIDR`: where pods and services have their addresses, so that the tests' user can be kept out.
  let clusterCIDR = variable("DEVRUN_E2E_CLUSTER_CIDR") ?? "198.18.0.0/15"

  /// Whether images can be made.
  static var canMakeImages: Bool { variable("DEVRUN_E2E_KUBE") != nil }

  /// The path of a fixture of `fixtures/`.
  static func fixture(_ name: String) -> String { "\(root)/fixtures/\(name)" }

  private static func variable(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// How one program ran from its start to its end.
struct Outcome: Sendable {
  var ending: Ending
  var output: [UInt8]
  var errors: String
  var seconds: Double

  /// Standard output as text.
  var text: String { String(decoding: output, as: UTF8.self) }
}

extension Outcome: CustomStringConvertible {
  var description: String { "\(ending) after \(seconds) s\n--- stdout\n\(text)\n--- stderr\n\(errors)" }
}

/// Runs a program as whoever runs the tests and returns when it and all that hold its output have ended.
@discardableResult
func run(
  _ arguments: [String], input: String? = nil, expecting: Ending? = .exited(0), within limit: Duration = .seconds(90)
) async throws -> Outcome {
  let process = try ChildProcess(arguments, environment: ProcessInfo.processInfo.environment)
  let outcome = try await process.outcome(input: input, within: limit)
  guard expecting == nil || outcome.ending == expecting else {
    throw Failure("\(arguments.joined(separator: " ")): \(outcome)")
  }
  return outcome
}

extension ChildProcess {
  /// Hands it all of its input and awaits the end of it and of its output; it is killed when that takes too long.
  func outcome(input: String? = nil, within limit: Duration) async throws -> Outcome {
    let clock = ContinuousClock()
    let start = clock.now
    if let input { try write(input) }
    closeInput()
    do {
      let ending = try await within(limit, "the end of process \(self.id), which said: \(self.errors.text)") {
        let ending = try await self.ended()
        try await self.output.ended()
        try await self.errors.ended()
        return ending
      }
      return Outcome(
        ending: ending, output: output.bytes, errors: errors.text, seconds: (clock.now - start) / .seconds(1))
    } catch {
      end()
      throw error
    }
  }
}
