public import DevrunCore

/// What is to be redirected, as the user names it: `KIND/NAME`.
public struct TargetReference: Sendable, Hashable, CustomStringConvertible {
  /// The kinds of object that can be a target.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// A Deployment.
    case deployment
    /// A StatefulSet.
    case statefulSet = "statefulset"
    /// A DaemonSet.
    case daemonSet = "daemonset"
    /// A ReplicaSet.
    case replicaSet = "replicaset"
    /// A pod.
    case pod
    /// A Service, which stands for the workload whose pods it selects.
    case service

    /// kubectl's short name.
    public var shortName: String {
      switch self {
      case .deployment: "deploy"
      case .statefulSet: "sts"
      case .daemonSet: "ds"
      case .replicaSet: "rs"
      case .pod: "po"
      case .service: "svc"
      }
    }

    /// The kind as objects name it: `Deployment`.
    public var objectKind: String {
      switch self {
      case .deployment: "Deployment"
      case .statefulSet: "StatefulSet"
      case .daemonSet: "DaemonSet"
      case .replicaSet: "ReplicaSet"
      case .pod: "Pod"
      case .service: "Service"
      }
    }

    /// The plural that stands in the API's paths: `deployments`.
    public var plural: String { "\(rawValue)s" }

    /// The API group; empty for the core group.
    var group: String {
      switch self {
      case .deployment, .statefulSet, .daemonSet, .replicaSet: "apps"
      case .pod, .service: ""
      }
    }

    /// The kind of a name that kubectl takes, in any letter case: singular, plural or short, and with the API group or
    /// version and group (`deployments.apps`, `deployments.v1.apps`).
    init?(name: String) {
      let parts = name.lowercased().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(
        String.init)
      let kind = Self.allCases.first { [$0.rawValue, $0.plural, $0.shortName].contains(parts[0]) }
      guard let kind else { return nil }
      if parts.count == 2, kind.group.isEmpty || ![kind.group, "v1.\(kind.group)"].contains(parts[1]) { return nil }
      self = kind
    }
  }

  /// The object's kind.
  public var kind: Kind
  /// The object's name.
  public var name: String

  /// A reference to an object.
  public init(kind: Kind, name: String) {
    self.kind = kind
    self.name = name
  }

  /// Reads `KIND/NAME`, the kind being any name that kubectl takes.
  ///
  /// - Throws: `TargetReferenceError`.
  public init(parsing text: String) throws(TargetReferenceError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { throw .malformed(text) }
    guard let kind = Kind(name: parts[0]) else { throw .unknownKind(parts[0], name: parts[1]) }
    guard DNSName.isSubdomain(parts[1]) else { throw .invalidName(parts[1]) }
    self.init(kind: kind, name: parts[1])
  }

  /// `KIND/NAME`, the kind in kubectl's singular: `deployment/myapp1`.
  public var description: String { "\(kind.rawValue)/\(name)" }
}

/// Why a text names no target.
public enum TargetReferenceError: UserFacingError, Hashable {
  /// It is not two parts with a slash between.
  case malformed(String)
  /// The kind is none that can be a target.
  case unknownKind(String, name: String)
  /// The name is none that an object can have.
  case invalidName(String)

  /// What the person is told.
  public var message: ErrorMessage {
    switch self {
    case .malformed(let text):
      return ErrorMessage("'\(text)' names no target", remedy: "write KIND/NAME, such as deployment/myapp1")
    case .unknownKind(let kind, let name):
      let kinds = TargetReference.Kind.allCases
      let list = kinds.map { "\($0.rawValue) (\($0.shortName))" }.joined(separator: ", ")
      let near = nearest(to: kind, in: kinds.flatMap { [$0.rawValue, $0.plural, $0.shortName] })
      return ErrorMessage(
        "'\(kind)' is no kind of target", why: "the kinds are \(list)",
        remedy: near.map { "did you mean \($0)/\(name)?" })
    case .invalidName(let name):
      return ErrorMessage(
        "'\(name)' is no name of an object",
        why: "names have lower-case letters, digits, '-' and '.', at most 253 in all")
    }
  }

  /// A mistake of the command line or of devrun.yaml.
  public var exitStatus: ExitStatus { .usage }
}
