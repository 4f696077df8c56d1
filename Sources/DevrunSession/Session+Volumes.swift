internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import Glibc

extension Session {
  /// Copies what the command is to see of the container's volumes.
  func materialize(
    _ agents: AgentPlacement.Placed, isolation: Isolation, directory: SessionDirectory, teardown: Teardown
  ) async throws -> MaterializedVolumes {
    let container = ContainerVolumes(podSpec: agents.pod["spec"] ?? [:], container: agents.container)
    var volumes = MaterializedVolumes(names: container.volumes.map(\.name))
    let uses = try options.localEnv.volumes(in: volumes.names)
    let plan = VolumePlan(container, uses: uses) { path in
      isolation == .trap ? "no path of its own can be shown without a mount namespace" : Self.obstacle(at: path)
    }
    for omission in plan.omissions {
      observer.tell(.detail("volume \(omission.volume) does not appear at \(omission.path): \(omission.why)"))
    }
    if !plan.items.isEmpty { observer.tell(.step("copying volumes")) }
    let fetch = VolumeFetch(tunnel: agents.tunnel, limit: options.volumeLimit, observer: observer)
    volumes.copies = try await fetch.run(plan, memory: directory) {
      let disk = try SessionDirectory(onDiskFor: name, environment: environment)
      await teardown.add("removing \(disk.path)") { try disk.remove() }
      return disk
    }
    return volumes
  }

  /// What of this machine a volume at a path would hide.
  private static func obstacle(at path: String) -> String? {
    var status = stat()
    return stat(path, &status) == 0 ? "this machine has something there" : nil
  }
}
