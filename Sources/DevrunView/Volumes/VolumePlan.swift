package import DevrunConfig
internal import DevrunCore
internal import DevrunPlan

/// Which of a container's volumes are copied.
package enum VolumeChoice: Sendable {
  /// All that the command is to see.
  case all
  /// Those that a file names: the values of variables have their paths.
  case named
}

/// What is to be copied of the container's volumes, and where the command sees it.
package struct VolumePlan: Sendable, Hashable {
  /// A volume, or a part of one.
  package struct Item: Sendable, Hashable {
    /// The volume, with the place at which the container has what is copied.
    package var volume: ContainerVolumes.Volume
    /// The part that is meant; `nil` for all of it.
    package var part: VolumePart?
    /// The paths at which the command sees it, beside the one in the session's folder.
    package var targets: [String] = []
    /// Whether a file names it: then the session cannot go on without it.
    var isNamed: Bool

    /// The part as the agent takes it, as a pattern of glob(7): of its characters only `*` has a meaning in the files.
    var selection: RawString? {
      part.map { part in
        RawString(part.description.reduce(into: "") { $0 += "?[\\".contains($1) ? "\\\($1)" : "\($1)" })
      }
    }
  }

  /// A volume that the command does not see at the container's path.
  struct Omission: Sendable, Hashable {
    /// The volume's name.
    var volume: String
    /// The container's path.
    var path: String
    /// Why, in words.
    var why: String
    /// Whether the command lacks something: the volume, or a folder that it may write to. If something of this machine is at
    /// the path, the command may take that for the volume.
    var isMissed = false
    /// The path that a file may give the volume to have it all the same.
    var otherPath = "/other/path"
  }

  /// What is to be copied.
  private(set) var items: [Item] = []
  /// What stays away.
  private(set) var omissions: [Omission] = []

  /// Plans for a container.
  ///
  /// - Parameters:
  ///   - container: its volumes.
  ///   - uses: what the files name.
  ///   - choice: which of the volumes are copied.
  ///   - showsPaths: whether the command can see anything at paths of its own.
  ///   - obstacle: why a path of the container cannot be shown here; `nil` where it can.
  init(
    _ container: ContainerVolumes, uses: [LocalEnvFile.VolumeUse], choice: VolumeChoice = .all, showsPaths: Bool = true,
    obstacle: (_ path: String) -> PlaceObstacle?
  ) {
    for use in uses {
      guard let volume = container.volumes.first(where: { $0.name == use.volume }) else { continue }
      add(Item(volume: volume, part: use.part, targets: [use.mountPath].compactMap { $0 }, isNamed: true))
    }
    if choice == .named { return }
    for mount in container.mounts where !items.contains(where: { $0.targets.contains(mount.mountPath) }) {
      if !mount.isUnasked {
        let why = "volumes of kind \(mount.kind) are copied only when azds-local.env names them"
        omissions.append(Omission(volume: mount.name, path: mount.mountPath, why: why))
      } else if !showsPaths {
        let why = "no path of its own can be shown without a mount namespace"
        omissions.append(Omission(volume: mount.name, path: mount.mountPath, why: why))
      } else if let obstacle = obstacle(mount.mountPath) {
        // An emptyDir, such as one at /tmp, is empty anyway. A volume that a file names is where the file says.
        let isReplaced = obstacle.isOccupied && mount.kind == "emptyDir" || uses.contains { $0.volume == mount.name }
        var omission = Omission(
          volume: mount.name, path: mount.mountPath, why: obstacle.why, isMissed: !isReplaced)
        if obstacle.mayBeAskedFor { omission.otherPath = mount.mountPath }
        omissions.append(omission)
      } else {
        add(Item(volume: mount, targets: [mount.mountPath], isNamed: false))
      }
    }
  }

  /// What is copied once may be seen at several paths.
  private mutating func add(_ item: Item) {
    let known = items.firstIndex {
      $0.volume.mountPath == item.volume.mountPath && $0.part == item.part
    }
    guard let known else { return items.append(item) }
    items[known].targets += item.targets.filter { !items[known].targets.contains($0) }
    items[known].isNamed = items[known].isNamed || item.isNamed
  }
}
