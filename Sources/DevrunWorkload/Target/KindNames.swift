package import DevrunKube

/// The names of a kind of object, as kubectl takes them.
package struct KindNames: Sendable, Hashable {
  /// The singular: `deployment`.
  package var singular: String
  /// The short name: `deploy`.
  package var short: String
  /// The API group; empty for the core group. All kinds of targets have version `v1`.
  package var group: String

  /// Names of the given parts.
  package init(_ singular: String, short: String, group: String = "") {
    self.singular = singular
    self.short = short
    self.group = group
  }

  /// The plural, which stands in the API's paths: `deployments`.
  package var plural: String { "\(singular)s" }

  /// Whether a name means the kind, in any letter case: singular, plural or short, and with the API group or version and
  /// group (`deployments.apps`, `deployments.v1.apps`).
  package func include(_ name: String) -> Bool {
    let parts = name.lowercased().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard [singular, plural, short].contains(parts[0]) else { return false }
    return parts.count == 1 || !group.isEmpty && [group, "v1.\(group)"].contains(parts[1])
  }

  /// The kind's objects in a namespace.
  package func collection(in namespace: Namespace) -> ResourcePath {
    ResourcePath(group: group, version: "v1", resource: plural, namespace: namespace.name)
  }
}
