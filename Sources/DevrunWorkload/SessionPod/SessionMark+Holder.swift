internal import DevrunCore
package import DevrunKube

extension SessionMark {
  /// The name of the annotation that has who holds a session, as `user@machine`.
  package static let holder = "devrun.dev/holder"
  /// The name of the annotation that has what a session is aimed at, as `kind/name`.
  package static let target = "devrun.dev/target"
  /// The name of the label on the ConfigMap that keeps a record while a workload is put back.
  package static let record = "devrun.dev/record"
}

extension KubeObject {
  /// Whether a pod is ready (`core/v1` PodCondition): a session's own pod is, while a devrun is attached to it.
  package var isReady: Bool { message(ofCondition: "Ready", being: "True") != nil }

  /// Whether a pod is made never to be ready, so that its readiness says nothing: nobody waits days for a first probe.
  package var isNeverReady: Bool {
    containers.contains { $0.json[path: "readinessProbe", "initialDelaySeconds"]?.int ?? 0 > 1_000_000 }
  }
}
