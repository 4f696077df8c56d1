import ArgumentParser
import DevrunCore
import DevrunSystem
import Glibc
import Minicluster

/// `devrun-minicluster apply`
struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes the objects of a manifest, and waits until its Deployments are available.")

  @OptionGroup var cluster: ClusterInUse
  @Option(name: .shortAndLong, help: "The manifest. Can be repeated.")
  var file: [String]

  func run() throws {
    let manifests = try file.map { path in
      try Manifest(text: Descriptor.open(RawString(path), O_RDONLY).readToEnd(limit: 16 << 20), source: path)
    }
    let folder = cluster.path
    runAndExit {
      try await withClient(ofClusterIn: folder) { client in
        let applier = ManifestApplier(target: ClientTarget(client)) { print($0) }
        for manifest in manifests { try await applier.apply(manifest) }
        return 0
      }
    }
  }
}
