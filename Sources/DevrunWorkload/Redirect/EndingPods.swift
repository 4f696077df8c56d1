internal import DevrunCore
internal import DevrunKube

/// A session's pods on their way out.
package struct EndingPods: Sendable {
  /// The pods' namespace.
  var namespace: Namespace
  /// Labels that all of them have, and maybe others.
  var labelSelector: String
  /// Whether a pod is one of them.
  var areIncluded: @Sendable (KubeObject) -> Bool

  /// Waits until none is left: terminating ones still answer for a while. A kubelet takes some seconds more to remove a
  /// pod whose containers have all ended; such a pod is removed here.
  ///
  /// - Throws: `KubeError`
  func awaitGone() async throws {
    var left: Set<String> = []
    for try await event in namespace.client.watch(namespace.pods, labelSelector: labelSelector) {
      switch event {
      case .snapshot(let pods):
        left = []
        for pod in pods where try await isLeft(pod) { left.insert(pod.name) }
      case .added(let pod), .modified(let pod):
        if try await isLeft(pod) { left.insert(pod.name) } else { left.remove(pod.name) }
      case .deleted(let pod):
        left.remove(pod.name)
      }
      if left.isEmpty { return }
    }
  }

  /// Removes all of them without any time to end.
  ///
  /// - Throws: `KubeError`
  func removeAtOnce() async throws {
    let pods = try await namespace.client.list(namespace.pods, labelSelector: labelSelector).items
    for pod in pods where areIncluded(pod) { try await remove(pod) }
  }

  /// Whether a pod is to be waited for.
  private func isLeft(_ pod: KubeObject) async throws -> Bool {
    guard areIncluded(pod) else { return false }
    guard pod.isTerminating, Self.hasEnded(pod) else { return true }
    try await remove(pod)
    return false
  }

  private func remove(_ pod: KubeObject) async throws {
    do {
      try await namespace.delete(namespace.pods.named(pod.name), uid: pod.uid, gracePeriodSeconds: 0)
    } catch let error as KubeError where error.isConflict || error.isForbidden {
      // Another pod has this name already; or this user may not delete pods, and the kubelet removes it in its own time.
      return
    }
  }

  /// Whether no container of a pod on its way out runs any more.
  ///
  /// A kubelet that has removed a container before it looked at its end reports it as waiting, with an end of reason
  /// `ContainerStatusUnknown` before that, and may take a minute more to remove the pod.
  static func hasEnded(_ pod: KubeObject) -> Bool {
    let statuses = pod.containerStatuses
    return !statuses.isEmpty && statuses.allSatisfy { $0["state"]?["running"] == nil }
  }
}
