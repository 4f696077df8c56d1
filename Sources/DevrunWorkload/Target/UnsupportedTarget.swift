package import DevrunKube

/// A kind that users name and that cannot be redirected yet.
package struct UnsupportedTarget: TargetKind {
  package let names: KindNames

  static let statefulSet = UnsupportedTarget(names: KindNames("statefulset", short: "sts", group: "apps"))
  static let daemonSet = UnsupportedTarget(names: KindNames("daemonset", short: "ds", group: "apps"))
  static let replicaSet = UnsupportedTarget(names: KindNames("replicaset", short: "rs", group: "apps"))

  package func workload(_ reference: TargetReference, in namespace: Namespace) throws -> Workload {
    throw WorkloadError.unsupportedTarget("\(reference)", why: "a \(names.singular) is not supported yet")
  }
}
