internal import DevrunCore
internal import DevrunKube

/// What the scheduler and the kubelet have recorded about a pod (`core/v1` Event): of a volume that cannot be mounted, or a
/// network that cannot be set up, the pod's status has nothing but `ContainerCreating`.
struct PodWarnings: Sendable {
  /// The namespace of the pods.
  var namespace: Namespace

  /// Reads the last warning about a pod.
  ///
  /// - Returns: the warning in the cluster's words; `nil` if there is none.
  /// - Throws: `KubeError`; the user may lack the right to list Events.
  func last(of pod: KubeObject) async throws -> String? {
    guard let uid = pod.uid else { return nil }
    let events = try await namespace.client.list(
      .events(in: namespace.name), fieldSelector: "involvedObject.uid=\(uid),type=Warning")
    return Self.last(of: events.items)
  }

  /// The words of the last of some events.
  static func last(of events: [KubeObject]) -> String? {
    // A probe fails by design until devrun is attached.
    let last = events.filter { $0.json["reason"]?.string != "Unhealthy" }.max { time($0) < time($1) }
    guard let last else { return nil }
    let parts = [last.json["reason"]?.string, last.json["message"]?.string].compactMap { $0 }.filter { !$0.isEmpty }
    return parts.isEmpty ? nil : parts.joined(separator: ": ")
  }

  /// When an event was last seen. Events of the newer API have the time of their series, or of their only occurrence.
  private static func time(_ event: KubeObject) -> String {
    let times = [
      event.json[path: "series", "lastObservedTime"], event.json["lastTimestamp"], event.json["eventTime"],
      event.json["firstTimestamp"],
    ]
    // RFC 3339 in UTC: the order of the texts is that of the times, up to fractions of a second.
    return times.compactMap { $0?.string }.first ?? event.creationTimestamp
  }
}
