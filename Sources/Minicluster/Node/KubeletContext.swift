internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem

/// What all pods of the node share.
struct KubeletContext: Sendable {
  /// The cluster's objects.
  var store: ObjectStore
  /// The node's folder, for volumes and logs.
  var folder: String
  /// The node.
  var node: NodeDescription
  /// The address of the cluster's resolver.
  var resolver: String
  /// The machine's own resolv.conf.
  var machineResolverFile: String
  /// Makes tokens of service accounts.
  var tokens: @Sendable (TokenRequest) -> String
  /// Makes a pod's namespaces.
  var makeSandbox: @Sendable (_ hostName: String) async throws -> any PodSandbox
  /// Where events are reported.
  var events: KubeletEvents
}
