internal import DevrunCore

/// What is in a namespace that a session's pod must fit in with.
package struct SessionPodSurroundings: Sendable {
  /// What selects pods by their labels.
  struct Selecting: Sendable, Hashable {
    enum Kind: Sendable {
      /// It leads traffic to the pods, counts or evicts them.
      case uses
      /// It makes a pod without a controller its own.
      case adopts
    }

    var kind: Kind
    var selector: PodSelector
  }

  /// A persistent volume claim.
  struct Claim: Sendable, Hashable {
    /// `spec.accessModes`
    var accessModes: Set<String>
  }

  /// What must not select the pod.
  var selecting: [Selecting] = []
  /// What the namespace's network policies select pods by.
  var policies: [PodSelector] = []
  /// `spec.limits` of all LimitRanges.
  var limits: [JSONValue] = []
  /// The claims, by name.
  var claims: [String: Claim] = [:]
  /// The node of a pod of the target that runs.
  var node: String?
  /// The architecture of that node, as its label `kubernetes.io/arch` has it.
  var architecture: String?
  /// The operating system of that node, as its label `kubernetes.io/os` has it.
  var operatingSystem: String?

  /// An empty namespace.
  package init() {}
}
