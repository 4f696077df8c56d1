import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import FaultProxy
import NIOPosix
import TestCluster

/// A cluster in memory, and a client that reaches it through a proxy.
struct ProxiedCluster {
  let cluster: FakeCluster
  let proxy: FaultProxy
  /// The namespace `ns`, through the proxy.
  let namespace: Namespace

  static func run(_ body: (ProxiedCluster) async throws -> Void) async throws {
    try await FakeCluster.run { cluster, direct in
      let access = ClusterAccess(server: direct.client.server, namespace: "ns", contextName: "test")
      let proxy = try await FaultProxy.start(before: access)
      let client = try KubeClient(
        access: proxy.clientAccess, environment: [:], group: MultiThreadedEventLoopGroup.singleton)
      let result: Result<Void, any Error>
      do {
        result = .success(
          try await body(Self(cluster: cluster, proxy: proxy, namespace: Namespace("ns", client: client))))
      } catch {
        result = .failure(error)
      }
      try await client.shutdown()
      try await proxy.stop()
      try result.get()
    }
  }

  /// Makes a ConfigMap through the proxy.
  func make(_ name: String) async throws {
    try await namespace.client.create(
      ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name), "namespace": "ns"]],
      in: namespace.configMaps)
  }

  /// Makes a ConfigMap behind the proxy's back.
  func makeElsewhere(_ name: String) { cluster.change("configmaps/\(name)") { $0.json["kind"] = "ConfigMap" } }

  /// The names of the ConfigMaps, in the order in which a watch shows them.
  func names(_ count: Int, _ body: (Int) async throws -> Void = { _ in }) async throws -> [String] {
    var names: [String] = []
    var seen = 0
    for try await event in namespace.client.watch(namespace.configMaps) {
      switch event {
      case .snapshot(let maps): names += maps.map(\.name)
      case .added(let map), .modified(let map), .deleted(let map): names.append(map.name)
      }
      if names.count >= count { break }
      try await body(seen)
      seen += 1
    }
    return names
  }
}
