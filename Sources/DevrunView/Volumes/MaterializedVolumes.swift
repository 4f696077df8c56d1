internal import DevrunConfig
package import DevrunCore
package import DevrunPlan

/// The volumes that were copied from the agent's container into the session's folders.
package struct MaterializedVolumes: Sendable {
  /// A volume, or a part of one, that lies here.
  package struct Copy: Sendable {
    /// What it is.
    package var item: VolumePlan.Item
    /// The folder here that holds it.
    package var folder: String
    /// Its one file, where the container has a file for a volume (`subPath`).
    var file: RawString?

    /// The path of what the container has at the volume's path, or of the part's base.
    package var path: RawString {
      let names = file.map { [$0] } ?? (item.part?.base ?? []).map { RawString($0) }
      return RawString(names.reduce(into: Array(folder.utf8)) { $0 += [UInt8(ascii: "/")] + $1.bytes })
    }
  }

  /// The names of all volumes of the container, in its order.
  package var names: [String] = []
  /// What lies here.
  package var copies: [Copy] = []

  /// What the command sees at paths of its own.
  package var mounts: [LaunchPlan.Mount] {
    copies.flatMap { copy in
      copy.item.targets.map { LaunchPlan.Mount(source: copy.path, target: RawString($0)) }
    }
  }

  /// The folder that holds what a file names; empty where there is none.
  func folder(of use: LocalEnvFile.VolumeUse) -> String {
    copies.first { $0.item.volume.name == use.volume && $0.item.isNamed && $0.item.part == use.part }?.folder ?? ""
  }
}
