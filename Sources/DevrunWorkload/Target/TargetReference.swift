public import DevrunCore

/// What is to be redirected, as the user names it: `KIND/NAME`.
public struct TargetReference: Sendable, Hashable, CustomStringConvertible {
  /// The object's kind.
  package var kind: KindNames
  /// The object's name.
  public var name: String

  /// A reference to an object.
  package init(kind: KindNames, name: String) {
    self.kind = kind
    self.name = name
  }

  /// Reads `KIND/NAME`, the kind being any name that kubectl takes.
  ///
  /// - Throws: `TargetReferenceError`.
  public init(parsing text: String) throws(TargetReferenceError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { throw .malformed(text) }
    guard let kind = TargetKinds.all.first(where: { $0.names.include(parts[0]) }) else {
      throw .unknownKind(parts[0], name: parts[1])
    }
    guard DNSName.isSubdomain(parts[1]) else { throw .invalidName(parts[1]) }
    self.init(kind: kind.names, name: parts[1])
  }

  /// `KIND/NAME`, the kind in kubectl's singular: `deployment/myapp1`.
  public var description: String { "\(kind.singular)/\(name)" }
}

/// Why a text names no target.
public enum TargetReferenceError: UserFacingError, Hashable {
  /// It is not two parts with a slash between.
  case malformed(String)
  /// The kind is none that can be a target.
  case unknownKind(String, name: String)
  /// The name is none that an object can have.
  case invalidName(String)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .malformed(let text):
      return ErrorMessage("'\(text)' names no target", remedy: "write KIND/NAME, such as deployment/myapp1")
    case .unknownKind(let kind, let name):
      let kinds = TargetKinds.all.map(\.names)
      let list = kinds.map { "\($0.singular) (\($0.short))" }.joined(separator: ", ")
      let near = nearest(to: kind, in: kinds.flatMap { [$0.singular, $0.plural, $0.short] })
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
