internal import DevrunConfig
internal import DevrunCore
internal import DevrunLauncher
internal import DevrunTunnel
internal import Glibc

/// The volumes that the file names, fetched from the agent's container into the session's folder.
struct MaterializedVolumes: Sendable {
  /// The most that one volume may hold: it lies in memory.
  static let limit = ArchiveLimits(totalSize: 256 << 20, entries: 100_000)

  /// The names of all volumes of the container, in its order.
  var names: [String]
  /// Where those that were fetched lie.
  private var folders: [String: String] = [:]
  /// Those that the child sees at a path of their own.
  private(set) var mounts: [LaunchPlan.Mount] = []

  /// Fetches what the files ask for.
  ///
  /// - Parameter pod: a pod with the agent, as the cluster has it: with the volumes that admission added.
  /// - Throws: `LocalEnvError`, `TunnelError`, `SessionError`
  static func fetch(
    _ files: [LocalEnvFile], pod: JSONValue, container: String, tunnel: Tunnel, directory: SessionDirectory
  ) async throws -> MaterializedVolumes {
    let available = ContainerVolumes(podSpec: pod["spec"] ?? [:], container: container).volumes
    var result = MaterializedVolumes(names: available.map(\.name))
    for use in try files.flatMap({ try $0.volumes(in: result.names) }) {
      guard let volume = available.first(where: { $0.name == use.volume }) else { continue }
      if result.folders[volume.name] == nil {
        let folder = try directory.makeFolder("volumes/\(volume.name)")
        _ = try await tunnel.copy(RawString(volume.mountPath), into: folder, limits: limit)
        result.folders[volume.name] = folder
      }
      if let target = use.mountPath {
        let mount = LaunchPlan.Mount(source: RawString(result.path(of: volume.name)), target: RawString(target))
        if !result.mounts.contains(mount) { result.mounts.append(mount) }
      }
    }
    return result
  }

  /// Where a volume lies.
  func path(of volume: String) -> String { folders[volume] ?? "" }
}
