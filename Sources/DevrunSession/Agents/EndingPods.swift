internal import DevrunCore
internal import DevrunKube

/// A session's pods on their way out.
struct EndingPods: Sendable {
  /// The API.
  var client: KubeClient
  /// The pods' namespace.
  var namespace: String
  /// Labels that all of them have, and maybe others.
  var labelSelector: String
  /// Whether a pod is one of them.
  var areIncluded: @Sendable (JSONValue) -> Bool

  /// Waits until none is left: terminating ones still answer for a while. A kubelet takes some seconds more to remove a
  /// pod whose containers have all ended; such a pod is removed here.
  ///
  /// - Throws: `KubeError`
  func awaitGone() async throws {
    var left: Set<String> = []
    for try await event in client.watch(.pods(in: namespace), labelSelector: labelSelector) {
      switch event {
      case .snapshot(let pods):
        left = []
        for pod in pods where try await isLeft(pod) { left.insert(TargetResolution.name(of: pod)) }
      case .added(let pod), .modified(let pod):
        if try await isLeft(pod) {
          left.insert(TargetResolution.name(of: pod))
        } else {
          left.remove(TargetResolution.name(of: pod))
        }
      case .deleted(let pod):
        left.remove(TargetResolution.name(of: pod))
      }
      if left.isEmpty { return }
    }
  }

  /// Removes all of them without any time to end.
  ///
  /// - Throws: `KubeError`
  func removeAtOnce() async throws {
    for pod in try await client.list(.pods(in: namespace), labelSelector: labelSelector).items where areIncluded(pod) {
      try await remove(pod)
    }
  }

  /// Whether a pod is to be waited for.
  private func isLeft(_ pod: JSONValue) async throws -> Bool {
    guard areIncluded(pod) else { return false }
    guard pod["metadata"]?["deletionTimestamp"] != nil, Self.hasEnded(pod) else { return true }
    try await remove(pod)
    return false
  }

  private func remove(_ pod: JSONValue) async throws {
    do {
      try await client.delete(
        .pods(in: namespace).named(TargetResolution.name(of: pod)), uid: pod["metadata"]?["uid"]?.string,
        gracePeriodSeconds: 0)
    } catch let error as KubeError where error.isNotFound || error.isConflict {
      return  // The kubelet was faster.
    }
  }

  /// Whether no container of a pod on its way out runs any more.
  ///
  /// A kubelet that has removed a container before it looked at its end reports it as waiting, with an end of reason
  /// `ContainerStatusUnknown` before that, and may take a minute more to remove the pod.
  static func hasEnded(_ pod: JSONValue) -> Bool {
    let statuses = pod["status"]?["containerStatuses"]?.array ?? []
    return !statuses.isEmpty && statuses.allSatisfy { $0["state"]?["running"] == nil }
  }
}
