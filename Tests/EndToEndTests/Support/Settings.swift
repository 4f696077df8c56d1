import DevrunSystem
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
  /// `DEVRUN_E2E_KUBE`: a script whose `image` and `load` make images for the cluster's node, and whose `up` starts
  /// what is down. It keeps the process ids of the cluster's parts in `run`, beside the kubeconfig.
  let kube = variable("DEVRUN_E2E_KUBE")
  /// `DEVRUN_E2E_PYTHONPATH`: a folder with Python's package `kubernetes`, which the tests' user can read.
  static let pythonPath = variable("DEVRUN_E2E_PYTHONPATH")
  /// `DEVRUN_E2E_RIGGED`: a devrun whose agent sends hostile archives (`make rigged`).
  static let rigged = variable("DEVRUN_E2E_RIGGED")
  /// `DEVRUN_E2E_CLUSTER_CIDR`: where pods and services have their addresses, so that the tests' user can be kept out.
  let clusterCIDR = variable("DEVRUN_E2E_CLUSTER_CIDR") ?? "198.18.0.0/15"

  /// `DEVRUN_E2E_ROUNDS`: how often the tests try what goes wrong by chance (`make e2e ROUNDS=10`).
  static let rounds = variable("DEVRUN_E2E_ROUNDS").flatMap { Int($0) } ?? 2

  /// Whether there is a script that makes images and starts what is down of the cluster.
  static var hasKube: Bool { variable("DEVRUN_E2E_KUBE") != nil }

  /// The path of a fixture of `fixtures/`.
  static func fixture(_ name: String) -> String { "\(root)/fixtures/\(name)" }

  private static func variable(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}
