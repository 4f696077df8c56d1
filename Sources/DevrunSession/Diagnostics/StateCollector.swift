internal import DevrunAgentAPI
internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import DevrunSystem
internal import DevrunTunnel
internal import DevrunView
internal import DevrunWorkload
internal import Foundation
internal import Glibc

/// Gathers what a session is at a moment, from its parts. They are made known as they come to be; asking them holds
/// nothing up.
actor StateCollector {
  private let reporter: RunReporter
  private var base: SessionSnapshot
  private var stage = SessionSnapshot.Stage.connecting
  private var followed: [AgentPods] = []
  private var pod: StartedPod?
  private var volumes: MaterializedVolumes?
  private var view: ClusterView?
  private var info: AgentInfo?
  private var environment = EnvironmentVariables()

  /// - Parameters:
  ///   - base: what is known of a session that is about to connect.
  ///   - reporter: the run's voice, which masks secrets.
  init(of base: SessionSnapshot, reporter: RunReporter) {
    self.base = base
    self.reporter = reporter
  }

  /// The session's folder is made.
  func opened(_ folder: String) { base.folder = folder }

  /// Some pods are followed: the session's own, or the target's.
  func following(_ pods: AgentPods) { followed.append(pods) }

  /// The session's own pod is there.
  func started(_ pod: StartedPod) { self.pod = pod }

  /// The command is about to start.
  func gathered(_ gathered: SessionView) {
    view = gathered.cluster
    info = gathered.info
    volumes = gathered.volumes
    environment = gathered.environment
    if stage == .connecting { stage = .running }
  }

  /// What was changed is being put back.
  func restoring() { stage = .restoring }

  /// What the session is now.
  func state() async -> SessionSnapshot {
    var state = base
    state.stage = stage
    state.server = reporter.masked(base.server)
    state.logFile = reporter.logPath
    // Made only when it is asked for: a namespace may have thousands of services.
    state.environment = SessionSnapshot.Variable.list(
      environment, services: view?.services.keys.map(\.name) ?? [])
    if let pod {
      if case .workload(let workload, _) = pod.target { state.target = "deployment/\(workload.name)" }
      state.container = pod.container
      state.ports = pod.target.choice.ports.map { .init(remote: $0.remote, local: $0.local) }
    }
    if let view {
      state.services = view.services.sorted { $0.key < $1.key }.map { key, entry in
        .init(
          namespace: key.namespace, name: key.name, localAddress: "\(entry.local)",
          clusterAddresses: entry.clusterIPs.map(\.description))
      }
      state.names = names(view)
    }
    if let volumes, let pod { state.volumes = Self.volumes(volumes, pod) }
    for pods in followed {
      for (name, link) in await pods.links.sorted(by: { $0.key < $1.key }) {
        state.pods.append(
          .init(
            name: name, tunnelSince: link.since, reconnects: max(link.tunnels - 1, 0),
            problem: link.problem.map(reporter.masked),
            traffic: link.traffic))
      }
    }
    return state
  }

  private func names(_ view: ClusterView) -> SessionSnapshot.Names {
    let file = "\(base.folder)/\(ClusterView.hostsFileName)"
    let resolver = (info?.resolvConf ?? "").split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace) }
    return .init(
      hostsFile: file,
      hosts: HostsFile(reading: NameService.read(file)).machine.map {
        .init(address: $0.address, names: $0.names)
      },
      clusterDomain: info?.clusterDomain ?? "",
      nameServers: resolver.filter { $0.first == "nameserver" }.flatMap { $0.dropFirst() }.map(String.init),
      searchDomains: resolver.last { $0.first == "search" }.map { $0.dropFirst().map(String.init) } ?? [],
      redirectedAddresses: view.redirectedCount)
  }

  private static func volumes(_ volumes: MaterializedVolumes, _ pod: StartedPod) -> [SessionSnapshot.Volume] {
    let container = ContainerVolumes(of: pod.object, container: pod.container)
    let copied = Set(volumes.copies.map(\.item.volume.mountPath))
    let absent = container.mounts.filter { !copied.contains($0.mountPath) }.map { volume in
      SessionSnapshot.Volume(
        name: volume.name, source: volume.kind, containerPath: volume.mountPath, localPath: nil, mountPaths: [],
        updated: nil)
    }
    return volumes.copies.map { copy in
      let volume = copy.item.volume
      var status = stat()
      // The folder itself changes when it is made, and when its content is exchanged.
      let isThere = stat(copy.folder, &status) == 0
      return SessionSnapshot.Volume(
        name: copy.item.part.map { "\(volume.name)/\($0)" } ?? volume.name, source: volume.kind,
        containerPath: volume.mountPath, localPath: copy.path.description, mountPaths: copy.item.targets,
        updated: isThere ? Date(timeIntervalSince1970: TimeInterval(status.st_ctim.tv_sec)) : nil)
    } + absent
  }
}
