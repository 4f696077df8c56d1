internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunPlan
internal import DevrunSystem
internal import DevrunTunnel
internal import DevrunView
internal import DevrunWorkload
internal import NIOPosix

/// A session's connection to the cluster: what its parts are started with.
struct ClusterConnection: Sendable {
  /// What the parts share.
  var context: SessionContext
  /// The session's private folder.
  var directory: SessionDirectory
  /// The event loops.
  var group: MultiThreadedEventLoopGroup
  /// Gathers the session's state for `devrun diagnose`.
  var diagnosis: StateCollector

  /// Finds the target, and starts the session's own pod. Until then nothing is written.
  ///
  /// - Throws: `SessionError`, `WorkloadError`, `KubeError`, `TunnelError`
  ///
  /// - Parameter receives: whether connections to the pod's own address come here where the target is left alone.
  func startPod(_ options: SessionOptions, payload: Payload, receives: Bool = true) async throws -> StartedPod {
    let watch = ServiceWatch(
      from: context.namespace,
      others: options.localEnv.serviceReferences.compactMap(\.namespace) + options.otherNamespaces)
    async let listed = watch.list()
    let target = try await SessionTarget.find(options, in: context)
    let listing = try await listed
    if !listing.omitted.isEmpty {
      let names = listing.omitted.joined(separator: ", ")
      context.reporter.report(.detail("services of these namespaces are left out: \(names)"))
    }
    let addresses = Latch<AddressListing>()
    let reporter = context.reporter
    await context.services.inBackground("listing the addresses of pods") {
      addresses.set(await watch.listAddresses(in: listing.scopes, reporter: reporter))
    }
    // Where the target is left alone, the pod's own address is the way in.
    let isTargetLeftAlone = if case .none = target { true } else { options.takeOver(of: target.choice) == nil }
    let start = PodStart(
      context: context, payload: payload, diagnosis: diagnosis, localEnv: options.localEnv,
      receives: receives && isTargetLeftAlone)
    let pod = try await start.start(
      target, services: SeenServices(watch: watch, listing: listing, addresses: addresses))
    await diagnosis.started(pod)
    return pod
  }

  /// Lets the command reach the cluster through the session's pod, and keeps what it sees up to date.
  func serve(_ view: SessionView, through pod: StartedPod, limit: Int) async -> TunnelConnector {
    let connector = TunnelConnector(tunnels: pod.pods.tunnels, view: view.cluster, group: group)
    let (services, watched, reporter) = (context.services, pod.services, context.reporter)
    await services.onStop("closing the local ends") { await connector.close() }
    await services.inBackground("following the services", failure: "new services are not seen any more") {
      try await watched.watch.follow(
        view.cluster, scopes: watched.listing.scopes, addresses: watched.addresses, reporter: reporter)
    }
    let renewal = VolumeRenewal(
      view.volumes, tunnels: pod.pods.tunnels, directory: directory, limit: limit, reporter: reporter)
    await services.inBackground("renewing volumes") { await renewal.run() }
    return connector
  }

  /// How the target's traffic comes here; `nil` if it does not.
  ///
  /// - Parameter agents: learns of the tunnels to the pods that are replaced.
  func wayIn(to pod: StartedPod, _ options: SessionOptions, replacing agents: ReplacedPods? = nil) -> ReplaceWay? {
    guard case .workload(let workload, let choice) = pod.target, let takeOver = options.takeOver(of: choice) else {
      return nil
    }
    return ReplaceWay(
      context: context, workload: workload, choice: choice, takeOver: takeOver, payload: pod.payload,
      diagnosis: diagnosis, replaced: agents ?? ReplacedPods())
  }
}

/// The cluster's services that the command can name.
struct SeenServices: Sendable {
  /// Follows them.
  var watch: ServiceWatch
  /// What there was at the start.
  var listing: ServiceWatch.Listing
  /// The addresses of pods, as soon as they are read. That goes on while the session's pod starts.
  var addresses: Latch<AddressListing>

  /// How long the command waits for the addresses of pods once all else is ready.
  static let patience: Duration = .seconds(2)

  /// The services.
  var services: [KubeObject] { listing.services }

  /// The addresses of pods; `nil` if they are not read in time. They are followed in any case.
  func addressesInTime(_ limit: Duration = Self.patience, reporter: any Reporter) async -> AddressListing? {
    if let known = await addresses.wait(for: limit) { return known }
    reporter.report(.detail("the addresses of pods are not known yet: the command begins without them"))
    return nil
  }
}
