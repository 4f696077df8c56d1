internal import DevrunAgentAPI
internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import DevrunSystem
internal import DevrunView

extension Session {
  /// Gathers what the command is to see: the container's variables and volumes, and the cluster's services. A tunnel that
  /// breaks meanwhile is replaced by the next.
  ///
  /// - Parameters:
  ///   - choice: which of the volumes are copied.
  ///   - obstacle: why a volume that nobody asked for does not appear at a path; `nil` where it may.
  func gather(
    from pod: StartedPod, _ connection: ClusterConnection, isolation: Isolation, fetching choice: VolumeChoice = .all,
    obstacle: (RawString) -> PlaceObstacle? = { _ in nil }
  ) async throws -> SessionView {
    let (found, info) = try await pod.withTunnel(connection.context) { tunnel in
      async let variables = tunnel.environment()
      async let facts = tunnel.info()
      return try await (variables, facts)
    }
    let services = try await pod.services.listing().services
    let container = pod.target.hasServiceLinks ? found.linking(services, in: access.namespace) : found
    let secrets = SecretMask.secrets(in: found, of: pod.object, container: pod.container)
    reporter.mask(secrets.map(\.description))
    let directory = connection.directory
    let addresses = await pod.services.addressesInTime(reporter: reporter)
    let cluster = ClusterView.make(
      of: services, addresses: addresses, pod: pod.object, localEnv: options.localEnv,
      namespace: access.namespace, domain: info.clusterDomain,
      container: container, hostname: hostname, directory: directory, reporter: reporter)
    try cluster.reachFromPod(
      options.viaPod, variables: ChildEnvironment.plain(shell: environment, container: container))
    var disk: SessionDirectory?
    let volumes = try await pod.withTunnel(connection.context) { tunnel in
      try await MaterializedVolumes.make(
        of: pod.container, in: pod.object, localEnv: options.localEnv, isolation: isolation, fetching: choice,
        fetch: VolumeFetch(tunnel: tunnel, limit: options.volumeLimit, reporter: reporter),
        obstacle: obstacle, memory: directory
      ) {
        if let disk { return disk }
        let made = try SessionDirectory(onDiskFor: name, environment: environment)
        await connection.context.services.onStop("removing \(made.path)") { try made.remove() }
        disk = made
        return made
      }
    }
    let resolved = try ChildEnvironment.make(
      options.environmentRequest, shell: environment, container: container, view: cluster, volumes: volumes,
      namespace: access.namespace, domain: info.clusterDomain, reporter: reporter)
    reporter.mask(resolved.filter { SecretMask.looksSecret($0.name.description) }.map(\.value.description))
    var view = SessionView(
      cluster: cluster, info: info, volumes: volumes, environment: resolved, secrets: secrets,
      hostsFile: try cluster.writeHosts(), nameService: try NameService(directory: directory),
      mountPointRecord: directory.mountPointRecord)
    view.podAddresses = pod.object.podAddresses
    await connection.diagnosis.gathered(view)
    return view
  }
}
