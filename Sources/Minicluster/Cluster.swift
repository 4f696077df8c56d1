internal import DevrunCore
internal import DevrunSystem
internal import Glibc

// The story of a cluster: what runs in the node's process, and in which order it starts.

/// A cluster: an API server, controllers, and one node, in this process.
///
/// It is a stand-in for a Kubernetes cluster, to try devrun on, and never the judge of what Kubernetes does.
package struct Cluster: Sendable {
  /// An existing folder, which gets the kubeconfigs. It must be of nobody else.
  package var folder: String
  /// A TCP socket of the machine's network that listens on its loopback address. The cluster takes it over.
  package var listener: Int32
  /// The port of the listener.
  package var port: Int
  /// Files with objects that the cluster is to have from its beginning.
  package var manifests: [String]
  /// Gets a line about what the cluster does.
  package var log: @Sendable (String) -> Void

  /// A cluster of the given parts, which does not run yet.
  package init(
    folder: String, listener: Int32, port: Int, manifests: [String] = [],
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.folder = folder
    self.listener = listener
    self.port = port
    self.manifests = manifests
    self.log = log
  }

  /// Runs until the task is cancelled. To be called by the node's process (``Place/enter()``).
  ///
  /// - Parameter onReady: is called once the API answers and the Deployments of the manifests are available.
  /// - Throws: why the cluster cannot start, or cannot go on.
  package func run(onReady: @escaping @Sendable () throws -> Void) async throws {
    let manifests = try manifests.map { path in
      try Manifest(text: Descriptor.open(RawString(path), O_RDONLY).readToEnd(limit: 16 << 20), source: path)
    }
    let pods = try podFolder()
    let network = try await PodNetwork()
    let identities = try ClusterIdentities(serviceAddress: Controllers.apiAddress)
    let store = ObjectStore(admit: Controllers.admission())
    try Controllers.prepare(store)
    let controllers = Controllers(store: store, certificateAuthority: identities.authority, log: log)
    let kubelet = Kubelet(store: store, network: network, folder: pods, tokens: identities.token)
    let resolver = ClusterResolver(store: store, network: network)
    let relay = ServiceRelay(store: store, network: network)
    let server = APIServer(store: store, node: kubelet, identities: identities)
    try await network.add(serviceAddress: Controllers.apiAddress)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await controllers.run() }
      group.addTask { try await kubelet.run() }
      group.addTask { try await resolver.run() }
      group.addTask { try await relay.run() }
      let (listening, listens) = AsyncStream<Void>.makeStream()
      group.addTask {
        try await server.run(listeningAt: [.socket(listener), .address(Controllers.apiAddress, port: 443)]) { _ in
          listens.yield()
        }
      }
      group.addTask {
        for await _ in listening {
          try identities.writeKubeconfigs(to: folder, server: "https://127.0.0.1:\(port)")
          let applier = ManifestApplier(target: StoreTarget(store), report: log)
          for manifest in manifests { try await applier.apply(manifest) }
          try onReady()
        }
      }
      // No part ends but by the cancellation, or by an error, which ends all.
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// The folder of volumes and logs: in memory, and in the node's mount namespace alone.
  private func podFolder() throws(Errno) -> String {
    let path = folder + "/node"
    try Directory.make(RawString(path), mode: 0o700)
    let flags = UInt(MS_NOSUID | MS_NODEV)
    _ = try RawString("mode=0755").withCString { (options) throws(Errno) in
      try system { mount("minicluster", path, "tmpfs", flags, options) }
    }
    return path
  }
}
