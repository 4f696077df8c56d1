internal import DevrunCore
package import DevrunKube

/// The volumes that a container mounts, in the container's order.
package struct ContainerVolumes: Sendable, Hashable {
  /// A mounted volume.
  package struct Volume: Sendable, Hashable {
    /// The kinds that appear to the command unasked: configuration, credentials, and what is the pod's own. What outlives
    /// the pod, or is the node's, is copied only when it is named.
    private static let unasked: Set = ["configMap", "secret", "projected", "downwardAPI", "emptyDir", "csi"]
    /// The kinds that hold what Kubernetes' API has, which is never large, and which kubelet renews.
    private static let objects: Set = ["configMap", "secret", "projected", "downwardAPI"]

    /// Its name in the pod's `volumes`.
    package var name: String
    /// Where the container mounts it.
    package var mountPath: String
    /// The key of its source in the pod's `volumes`: `configMap`, `secret`, `emptyDir`, ...
    package var kind: String

    /// Whether the command gets it without being asked for.
    var isUnasked: Bool { Self.unasked.contains(kind) }
    /// Whether it is made of objects of the API: small and secret.
    var isMadeOfObjects: Bool { Self.objects.contains(kind) }
    /// Whether kubelet renews it while it is in use, or a driver that does as kubelet does (the one for secret stores).
    var isRenewed: Bool { isMadeOfObjects || kind == "csi" }
    /// Whether it has to stay in memory: a driver's files are mostly secrets.
    var staysInMemory: Bool { isMadeOfObjects || kind == "csi" }
  }

  /// The volumes, without devrun's own, each once.
  package var volumes: [Volume]
  /// Every place at which the container has a volume, or a part of one, in the container's order.
  package var mounts: [Volume]

  /// Reads them from a pod or a template. Where a volume is mounted several times, the mount of the whole
  /// volume counts, else the first.
  package init(of pod: KubeObject, container: String) {
    let sources = Dictionary(
      pod.volumes.map { volume in
        (volume["name"]?.string ?? "", volume.object?.keys.first { $0 != "name" } ?? "emptyDir")
      }, uniquingKeysWith: { first, _ in first })
    let mounts = pod.container(named: container)?.volumeMounts ?? []
    func volume(_ mount: JSONValue) -> Volume? {
      // The name becomes that of a folder here. The API server admits labels only (RFC 1123), and no other name is taken.
      guard let name = mount["name"]?.string, DNSName.isLabel(name), !name.hasPrefix("devrun-"),
        let path = mount["mountPath"]?.string, !path.utf8.contains(0)
      else { return nil }
      return Volume(name: name, mountPath: path, kind: sources[name] ?? "")
    }
    self.mounts = mounts.compactMap(volume)
    var volumes: [Volume] = []
    for mount in mounts.filter({ $0["subPath"] == nil && $0["subPathExpr"] == nil }) + mounts {
      guard let volume = volume(mount), !volumes.contains(where: { $0.name == volume.name }) else { continue }
      volumes.append(volume)
    }
    let order = mounts.compactMap { $0["name"]?.string }
    self.volumes = volumes.sorted {
      order.firstIndex(of: $0.name) ?? order.count < order.firstIndex(of: $1.name) ?? order.count
    }
  }
}
