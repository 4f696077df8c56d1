public import DevrunWorkload

/// What a user names to have it restored: a workload, or an object that a session has left.
public enum RestoreReference: Sendable, Hashable, CustomStringConvertible {
  /// A workload, a session's own pod, or what leads to a workload.
  case target(TargetReference)
  /// A ConfigMap of a session.
  case configMap(String)

  /// Reads `KIND/NAME`, the kind being any name that kubectl takes.
  ///
  /// - Throws: `TargetReferenceError`
  public init(parsing text: String) throws(TargetReferenceError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if parts.count == 2, ["configmap", "configmaps", "cm"].contains(parts[0].lowercased()), !parts[1].isEmpty {
      self = .configMap(parts[1])
    } else {
      self = .target(try TargetReference(parsing: text))
    }
  }

  /// `KIND/NAME`, the kind in kubectl's singular.
  public var description: String {
    switch self {
    case .target(let target): "\(target)"
    case .configMap(let name): "configmap/\(name)"
    }
  }
}
