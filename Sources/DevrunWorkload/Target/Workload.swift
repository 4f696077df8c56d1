package import DevrunCore
package import DevrunKube

/// A Deployment that is to be redirected, and how it was named.
package struct Workload: Sendable {
  /// The Deployment as it was read.
  package var object: KubeObject
  /// What named it, when that was something else: `service/web`, `pod/web-0`.
  package var namedBy: String?
  /// The ports that the naming Service leads to: numbers, or names of container ports.
  package var servicePorts: [JSONValue] = []

  /// `metadata.name`
  package var name: String { object.name }
  /// `spec.template`
  package var template: KubeObject { object.template }
  /// The labels of its pods, as `spec.selector` has them.
  package var labelSelector: String { object.labelSelector }
}
