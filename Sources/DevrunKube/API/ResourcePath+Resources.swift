// The resources that devrun works with. Each gives the collection in one namespace (or, with `nil`, over all of them);
// `named(_:)` gives one object of it.
extension ResourcePath {
  /// Pods.
  public static func pods(in namespace: String?) -> ResourcePath { core("pods", namespace) }

  /// Services.
  public static func services(in namespace: String?) -> ResourcePath { core("services", namespace) }

  /// Endpoints: the addresses behind services.
  public static func endpoints(in namespace: String?) -> ResourcePath { core("endpoints", namespace) }

  /// EndpointSlices: the addresses behind services, in pieces.
  ///
  /// - Parameter version: `v1`, or `v1beta1` on servers before 1.21.
  public static func endpointSlices(in namespace: String?, version: String) -> ResourcePath {
    ResourcePath(
      group: "discovery.k8s.io", version: version, resource: "endpointslices", namespace: namespace)
  }

  /// ConfigMaps.
  public static func configMaps(in namespace: String?) -> ResourcePath { core("configmaps", namespace) }

  /// Events: what the components of the cluster have recorded about objects.
  public static func events(in namespace: String?) -> ResourcePath { core("events", namespace) }

  /// Deployments.
  public static func deployments(in namespace: String?) -> ResourcePath { apps("deployments", namespace) }

  /// ReplicaSets.
  public static func replicaSets(in namespace: String?) -> ResourcePath { apps("replicasets", namespace) }

  /// StatefulSets.
  public static func statefulSets(in namespace: String?) -> ResourcePath { apps("statefulsets", namespace) }

  /// DaemonSets.
  public static func daemonSets(in namespace: String?) -> ResourcePath { apps("daemonsets", namespace) }

  /// Namespaces.
  public static let namespaces = core("namespaces", nil)

  /// Nodes.
  public static let nodes = core("nodes", nil)

  /// What the user may do (`authorization.k8s.io/v1`); only to be created.
  public static let selfSubjectAccessReviews = ResourcePath(
    group: "authorization.k8s.io", version: "v1", resource: "selfsubjectaccessreviews")

  private static func core(_ resource: String, _ namespace: String?) -> ResourcePath {
    ResourcePath(version: "v1", resource: resource, namespace: namespace)
  }

  private static func apps(_ resource: String, _ namespace: String?) -> ResourcePath {
    ResourcePath(group: "apps", version: "v1", resource: resource, namespace: namespace)
  }
}
