internal import DevrunCore

/// The volumes that a container mounts, in the container's order.
struct ContainerVolumes: Sendable, Hashable {
  /// A mounted volume.
  struct Volume: Sendable, Hashable {
    /// Its name in the pod's `volumes`.
    var name: String
    /// Where the container mounts it.
    var mountPath: String
    /// The key of its source in the pod's `volumes`: `configMap`, `secret`, `emptyDir`, ...
    var kind: String
  }

  /// The volumes, without devrun's own.
  var volumes: [Volume]

  /// Reads them of a pod's spec (`core/v1` PodSpec). Where a volume is mounted several times, the mount of the whole
  /// volume counts, else the first.
  init(podSpec: JSONValue, container: String) {
    let sources = Dictionary(
      (podSpec["volumes"]?.array ?? []).map { volume in
        (volume["name"]?.string ?? "", volume.object?.keys.first { $0 != "name" } ?? "emptyDir")
      }, uniquingKeysWith: { first, _ in first })
    let own = (podSpec["containers"]?.array ?? []).first { $0["name"]?.string == container }
    let mounts = own?["volumeMounts"]?.array ?? []
    var volumes: [Volume] = []
    for mount in mounts.filter({ $0["subPath"] == nil && $0["subPathExpr"] == nil }) + mounts {
      guard let name = mount["name"]?.string, let path = mount["mountPath"]?.string, !name.hasPrefix("devrun-"),
        !volumes.contains(where: { $0.name == name })
      else { continue }
      volumes.append(Volume(name: name, mountPath: path, kind: sources[name] ?? ""))
    }
    let order = mounts.compactMap { $0["name"]?.string }
    self.volumes = volumes.sorted {
      order.firstIndex(of: $0.name) ?? order.count < order.firstIndex(of: $1.name) ?? order.count
    }
  }
}
