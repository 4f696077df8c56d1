internal import DevrunCore
internal import DevrunKube

/// The volumes that a session's pod mounts: those of the target's container that it can share with the app.
struct SessionPodVolumes: Sendable {
  /// Kinds of volumes that are a disk: one node at a time has it.
  private static let disks = [
    "awsElasticBlockStore", "azureDisk", "cinder", "fc", "gcePersistentDisk", "iscsi", "photonPersistentDisk",
    "portworxVolume", "rbd", "scaleIO", "storageos", "vsphereVolume",
  ]

  /// The volumes.
  private(set) var volumes: [JSONValue] = []
  /// The container's mounts of them.
  private(set) var mounts: [JSONValue] = []
  /// What is left out, and why.
  private(set) var omissions: [String] = []
  /// Whether one of them can be mounted only where the app's pod is.
  private(set) var needNode = false
  /// Whether a file of one quotes the container's resources.
  private(set) var quoteResources = false

  /// The volumes of a container.
  ///
  /// - Parameter named: those that are needed even where they cannot be shared.
  init(of template: KubeObject, container: Container, named: Set<String>, surroundings: SessionPodSurroundings) {
    let mounted = Set(container.volumeMounts.compactMap { $0["name"]?.string })
    for volume in template.volumes {
      guard let name = volume["name"]?.string, mounted.contains(name) else { continue }
      if let why = Self.cannotBeShared(volume, surroundings) {
        guard named.contains(name) else {
          omissions.append("volume \(name) is left out: \(why)")
          continue
        }
        needNode = true
      }
      if volume["emptyDir"] != nil || volume["ephemeral"] != nil,
        let other = Self.neighbour(mounting: name, of: template, beside: container)
      {
        omissions.append(
          "volume \(name) is empty: container \(other), which shares it, does not run in the session's pod; "
            + "the command finds no file and no Unix socket of that container there")
      }
      volumes.append(own(volume, container))
    }
    let names = Set(volumes.compactMap { $0["name"]?.string })
    mounts = container.volumeMounts.filter { mount in mount["name"]?.string.map(names.contains) ?? false }
    for device in container.json["volumeDevices"]?.array ?? [] {
      if let name = device["name"]?.string { omissions.append("volume \(name) is left out: it is a block device") }
    }
  }

  /// Why a volume cannot be mounted beside the app's pods.
  private static func cannotBeShared(_ volume: JSONValue, _ surroundings: SessionPodSurroundings) -> String? {
    if let name = volume["persistentVolumeClaim"]?["claimName"]?.string {
      guard let claim = surroundings.claims[name] else { return "the access modes of claim \(name) cannot be read" }
      if claim.accessModes.contains("ReadWriteOncePod") { return "one pod alone can have claim \(name)" }
      return claim.accessModes.isDisjoint(with: ["ReadWriteMany", "ReadOnlyMany"])
        ? "one node alone can have claim \(name)" : nil
    }
    guard let kind = disks.first(where: { volume[$0] != nil }) else { return nil }
    return volume[kind]?["readOnly"]?.bool == true ? nil : "one node alone can have its disk"
  }

  /// Another container of the template that mounts a volume.
  private static func neighbour(mounting volume: String, of template: KubeObject, beside own: Container) -> String? {
    let others = (template.spec["initContainers"]?.array ?? []).map(Container.init) + template.containers
    return others.first { other in
      other.name != own.name && other.volumeMounts.contains { $0["name"]?.string == volume }
    }?.name
  }

  /// The volume as the pod has it.
  private mutating func own(_ volume: JSONValue, _ container: Container) -> JSONValue {
    var volume = volume
    if volume["ephemeral"] != nil {
      // A claim of the pod's own would be a new disk without content.
      volume["ephemeral"] = nil
      volume["emptyDir"] = [:]
    }
    if let items = volume["downwardAPI"]?["items"]?.array {
      var source = volume["downwardAPI"]
      source?["items"] = .array(quotable(items, volume, container))
      volume["downwardAPI"] = source
    }
    if let sources = volume["projected"]?["sources"]?.array {
      var projected = volume["projected"]
      projected?["sources"] = .array(
        sources.map { source in
          guard let items = source["downwardAPI"]?["items"]?.array else { return source }
          var (source, downward) = (source, source["downwardAPI"])
          downward?["items"] = .array(quotable(items, volume, container))
          source["downwardAPI"] = downward
          return source
        })
      volume["projected"] = projected
    }
    return volume
  }

  /// The files of a downward API volume that do not quote a container which the pod does not have.
  private mutating func quotable(_ items: [JSONValue], _ volume: JSONValue, _ container: Container) -> [JSONValue] {
    items.filter { item in
      guard let quoted = item["resourceFieldRef"] else { return true }
      if quoted["containerName"]?.string == container.name {
        quoteResources = true
        return true
      }
      let (name, path) = (volume["name"]?.string ?? "", item["path"]?.string ?? "")
      omissions.append("file \(path) of volume \(name) is left out: it quotes another container's resources")
      return false
    }
  }
}
