import DevrunSystem
import Foundation
import Testing

/// What a session is for, in scenarios that any cluster can play: the small one that comes with devrun, and a real one.
///
/// `make scenarios` runs them. Each one has a namespace of its own. On this machine the user may be an ordinary one. What
/// the tests themselves do to the cluster goes by the API alone, and what they run needs no other program than busybox.
@Suite("Scenarios", .enabled(if: Settings.areAskedFor, "a cluster is needed: make scenarios"))
enum Scenarios {}

/// What the environment says about a run of the scenarios. `make scenarios` sets `DEVRUN_SCENARIOS=1`.
enum Settings {
  /// Whether the scenarios were asked for.
  static var areAskedFor: Bool { variable("DEVRUN_SCENARIOS") == "1" }
  /// `DEVRUN`: the binary under test.
  static let devrun = variable("DEVRUN") ?? "\(root)/build/bin/devrun"
  /// `DEVRUN_E2E_IMAGE`: an image with busybox.
  static let image = variable("DEVRUN_E2E_IMAGE") ?? "kube-e2e/busybox:1"
  /// `DEVRUN_SCENARIOS_NAMESPACES`: empty namespaces to play in, with blanks between them, for a user who may not make
  /// any. By default each scenario makes its own.
  static let namespaces = (variable("DEVRUN_SCENARIOS_NAMESPACES") ?? "").split(separator: " ").map(String.init)
  /// `DEVRUN_SCENARIOS_AT_ONCE`: how many scenarios run at the same time.
  static let atOnce = variable("DEVRUN_SCENARIOS_AT_ONCE").flatMap { Int($0) } ?? 4

  /// The project's root: two folders above this file's.
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardizedFileURL.path

  private static func variable(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}
