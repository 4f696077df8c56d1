package import DevrunCore
package import DevrunKube

/// A Deployment that is to be redirected, and how it was named.
package struct Workload: Sendable {
  /// The Deployment as it was read.
  package var object: KubeObject
  /// What named it, when that was something else: `service/web`, `pod/web-0`.
  package var namedBy: String?
  /// The target ports of the Services that select its pods: numbers, or names of container ports. Those of the Service that
  /// named it come first.
  package var servicePorts: [JSONValue] = []
  /// The Services of its namespace: they are read once, since there may be thousands. None for a user who may not list them.
  package var services: [KubeObject] = []
  /// The target ports of the Service that named it: they choose the container too.
  package var namingPorts: [JSONValue] = []

  /// `metadata.name`
  package var name: String { object.name }
  /// `spec.template`
  package var template: KubeObject { object.template }
  /// The labels of its pods, as `spec.selector` has them.
  package var labelSelector: String { object.labelSelector }
}
