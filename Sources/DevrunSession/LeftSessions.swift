internal import DevrunCore
internal import DevrunKube
internal import DevrunWorkload
internal import FoundationEssentials

/// A session of which something is in the cluster.
struct LeftSession: Sendable, Hashable, CustomStringConvertible {
  /// The session's name.
  var name: String
  /// The Deployment that it is aimed at, if that is known.
  var deployment: String?
  /// Whether the Deployment is changed, or was and is not wholly restored.
  var isRedirecting = false
  /// Who holds it, as `user@machine`, if that is known.
  var holder: String?
  /// Since when it has been there (RFC 3339).
  var since: String?
  /// Its own pods.
  var pods: [String] = []
  /// Its ConfigMaps.
  var configMaps: [String] = []
  /// Whether a devrun is attached to one of its pods, or may be about to be.
  var isAlive = false

  /// What is restored, as `kind/name`: a name by which it can be restored. Empty if nothing is left of the session.
  var what: String {
    if isRedirecting, let deployment { return "deployment/\(deployment)" }
    return pods.first.map { "pod/\($0)" } ?? configMaps.first.map { "configmap/\($0)" } ?? ""
  }

  /// The session of a pod. A label alone makes no object a session's: its name shows it too.
  static func session(ofPod pod: KubeObject) -> String? {
    pod.labels[SessionMark.key].flatMap { SessionMark.isPod(pod.name, of: $0) ? $0 : nil }
  }

  /// The session of a ConfigMap.
  static func session(ofConfigMap map: KubeObject) -> String? {
    map.labels[SessionMark.key].flatMap { SessionMark.isConfigMap(map.name, of: $0) ? $0 : nil }
  }

  /// The Deployment that the session of a pod is aimed at.
  static func deployment(ofPod pod: KubeObject) -> String? {
    guard let target = pod.annotations[SessionMark.target], target.hasPrefix("deployment/") else { return nil }
    return String(target.dropFirst("deployment/".count))
  }

  /// The ConfigMaps from which a session's pod has its agent.
  fileprivate static func configMaps(ofPod pod: KubeObject, of session: String) -> [String] {
    pod.volumes.flatMap { $0[path: "projected", "sources"]?.array ?? [] }
      .compactMap { $0[path: "configMap", "name"]?.string }
      .filter { SessionMark.isConfigMap($0, of: session) }
  }

  var description: String {
    let who = [holder.map { "by \($0)" }, since.map { "since \($0)" }].compactMap { $0 }.joined(separator: " ")
    return who.isEmpty ? what : "\(what)  \(who)"
  }
}

/// The sessions of a namespace, gathered from what each leaves in the cluster.
struct LeftSessions: Sendable {
  /// How long a session may take until a devrun is attached to its pod, in seconds.
  private static let youth = 600.0

  /// All of them, by what they redirect.
  var all: [LeftSession]
  /// Records that cannot be read: nothing can be said of their sessions.
  var unreadable: [WorkloadError]

  /// Reads what is there.
  ///
  /// - Throws: `KubeError`
  static func read(in namespace: Namespace) async throws -> LeftSessions {
    async let redirects = DeploymentRestore.redirected(in: namespace)
    async let pods = list(namespace.pods, in: namespace)
    async let configMaps = list(namespace.configMaps, in: namespace)
    let (found, unreadable) = try await redirects
    return LeftSessions(
      all: gather(redirected: found, pods: try await pods, configMaps: try await configMaps), unreadable: unreadable)
  }

  /// The sessions that names mean. What may not be listed is left out: the record on a workload suffices to restore it.
  ///
  /// - Parameter holder: who restores, as `user@machine`.
  /// - Throws: `KubeError`
  static func named(
    _ references: [RestoreReference], in namespace: Namespace, holder: String
  ) async throws -> RestoreChoice {
    async let pods = listIfAllowed(namespace.pods, in: namespace)
    async let configMaps = listIfAllowed(namespace.configMaps, in: namespace)
    let search = RestoreSearch(
      pods: try await pods ?? [], configMaps: try await configMaps, holder: holder,
      redirected: { try await DeploymentRestore(of: $0, in: namespace).redirected() },
      allRedirected: { try await DeploymentRestore.redirected(in: namespace).found },
      deployment: { try await TargetKinds.workload($0, in: namespace).name })
    return await search.sessions(named: references)
  }

  private static func list(_ path: ResourcePath, in namespace: Namespace) async throws -> [KubeObject] {
    let isPods = path == namespace.pods
    // ConfigMaps of sessions are large, and only their metadata counts.
    return try await namespace.client.list(path, labelSelector: SessionMark.key, metadataOnly: !isPods).items
  }

  private static func listIfAllowed(_ path: ResourcePath, in namespace: Namespace) async throws -> [KubeObject]? {
    do {
      return try await list(path, in: namespace)
    } catch let error as KubeError where error.isForbidden {
      return nil
    }
  }

  /// Brings together what belongs to one session.
  ///
  /// - Parameters:
  ///   - redirected: the Deployments that sessions changed.
  ///   - pods: the pods with the label of sessions.
  ///   - configMaps: the ConfigMaps with this label; `nil` where they may not be listed.
  ///   - now: the time; what is younger than the longest start may belong to a session that is just beginning.
  static func gather(
    redirected: [DeploymentRestore.Redirected], pods: [KubeObject], configMaps: [KubeObject]?, now: Date = .now
  ) -> [LeftSession] {
    func isYoung(_ object: KubeObject) -> Bool {
      // A time that cannot be read is nobody's sign of life.
      guard let made = try? Date(object.creationTimestamp, strategy: .iso8601) else { return false }
      return now.timeIntervalSince(made) < Self.youth
    }
    var sessions: [String: LeftSession] = [:]
    for redirect in redirected {
      var session = sessions[redirect.session] ?? LeftSession(name: redirect.session)
      session.deployment = redirect.name
      session.isRedirecting = true
      session.holder = redirect.holder
      session.since = redirect.since
      sessions[redirect.session] = session
    }
    for pod in pods {
      guard let name = LeftSession.session(ofPod: pod) else { continue }
      var session = sessions[name] ?? LeftSession(name: name)
      session.pods.append(pod.name)
      if configMaps == nil { session.configMaps += LeftSession.configMaps(ofPod: pod, of: name) }
      session.holder = session.holder ?? pod.annotations[SessionMark.holder]
      session.since = session.since ?? pod.creationTimestamp
      session.deployment = session.deployment ?? LeftSession.deployment(ofPod: pod)
      // The pod is ready while a devrun is attached. One that never gets ready may have one.
      session.isAlive =
        session.isAlive || pod.isReady || isYoung(pod) || pod.isNeverReady
      sessions[name] = session
    }
    for map in configMaps ?? [] {
      guard let name = LeftSession.session(ofConfigMap: map) else { continue }
      // The record goes with the workload that it is of.
      var session = sessions[name] ?? LeftSession(name: name)
      if map.labels[SessionMark.record] == nil { session.configMaps.append(map.name) }
      session.holder = session.holder ?? map.annotations[SessionMark.holder]
      session.since = session.since ?? map.creationTimestamp
      if session.pods.isEmpty, !session.isRedirecting { session.isAlive = session.isAlive || isYoung(map) }
      sessions[name] = session
    }
    return sessions.values.filter { !$0.what.isEmpty }.sorted { ($0.what, $0.name) < ($1.what, $1.name) }
  }
}
