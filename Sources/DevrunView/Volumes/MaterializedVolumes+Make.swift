package import DevrunConfig
package import DevrunCore
package import DevrunKube
package import DevrunPlan

extension MaterializedVolumes {
  /// Copies what the command is to see of a container's volumes.
  ///
  /// - Parameters:
  ///   - container: the name of the container.
  ///   - pod: the pod, with what admission added to its template.
  ///   - localEnv: the files that name volumes.
  ///   - isolation: how the command gets its own view of files; without a mount namespace no path can be shown.
  ///   - fetching: which of the volumes are copied.
  ///   - fetch: how volumes are copied.
  ///   - obstacle: why a path of the container cannot be shown here; `nil` where it can.
  ///   - memory: the session's folder.
  ///   - disk: makes a folder for what is too large for memory; called once at most.
  /// - Throws: `LocalEnvError`, `TunnelError`, `ArchiveError`, `ViewError`
  package static func make(
    of container: String, in pod: KubeObject, localEnv: LocalEnvFile, isolation: Isolation,
    fetching choice: VolumeChoice, fetch: VolumeFetch, obstacle: (RawString) -> PlaceObstacle?,
    memory: SessionDirectory, disk: () async throws -> SessionDirectory
  ) async throws -> MaterializedVolumes {
    let container = ContainerVolumes(of: pod, container: container)
    var volumes = MaterializedVolumes(names: container.volumes.map(\.name))
    let uses = try localEnv.volumes(in: volumes.names)
    let plan = VolumePlan(container, uses: uses, choice: choice, showsPaths: isolation != .trap) {
      obstacle(RawString($0))
    }
    for omission in plan.omissions {
      fetch.reporter.report(omission.event)
    }
    if !plan.items.isEmpty { fetch.reporter.report(.step("copying volumes")) }
    volumes.copies = try await fetch.run(plan, memory: memory, disk: disk)
    return volumes
  }
}

extension VolumePlan.Omission {
  /// What is reported: a warning if the command lacks something for it.
  var event: ReportEvent {
    let what = "volume \(volume) does not appear at \(path)"
    guard isMissed else { return .detail("\(what): \(why)") }
    return .warning(
      ErrorMessage(
        what, why: why,
        remedy: "to have it all the same, give it a path in azds-local.env: NAME=${volumes.\(volume)|\(otherPath)}"))
  }
}
