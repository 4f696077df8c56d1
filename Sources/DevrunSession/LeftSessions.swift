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

  /// What is restored, as `kind/name`.
  var what: String {
    if isRedirecting, let deployment { return "deployment/\(deployment)" }
    return pods.first.map { "pod/\($0)" } ?? "ConfigMaps of session \(name)"
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
    async let pods = namespace.client.list(namespace.pods, labelSelector: SessionMark.key).items
    async let configMaps = namespace.client.list(namespace.configMaps, labelSelector: SessionMark.key).items
    let (found, unreadable) = try await redirects
    return LeftSessions(
      all: gather(redirected: found, pods: try await pods, configMaps: try await configMaps), unreadable: unreadable)
  }

  /// Brings together what belongs to one session.
  ///
  /// - Parameter now: the time; what is younger than the longest start may belong to a session that is just beginning.
  static func gather(
    redirected: [DeploymentRestore.Redirected], pods: [KubeObject], configMaps: [KubeObject], now: Date = .now
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
      guard let name = pod.labels[SessionMark.key] else { continue }
      var session = sessions[name] ?? LeftSession(name: name)
      session.pods.append(pod.name)
      session.holder = session.holder ?? pod.annotations[SessionMark.holder]
      session.since = session.since ?? pod.creationTimestamp
      if let target = pod.annotations[SessionMark.target], target.hasPrefix("deployment/") {
        session.deployment = session.deployment ?? String(target.dropFirst("deployment/".count))
      }
      // The pod is ready while a devrun is attached. One that never gets ready may have one.
      session.isAlive =
        session.isAlive || pod.isReady || isYoung(pod) || pod.isNeverReady
      sessions[name] = session
    }
    for map in configMaps {
      guard let name = map.labels[SessionMark.key] else { continue }
      // The record goes with the workload that it is of.
      var session = sessions[name] ?? LeftSession(name: name)
      if map.labels[SessionMark.record] == nil { session.configMaps.append(map.name) }
      session.holder = session.holder ?? map.annotations[SessionMark.holder]
      session.since = session.since ?? map.creationTimestamp
      if session.pods.isEmpty, !session.isRedirecting { session.isAlive = session.isAlive || isYoung(map) }
      sessions[name] = session
    }
    return sessions.values.sorted { ($0.what, $0.name) < ($1.what, $1.name) }
  }
}
