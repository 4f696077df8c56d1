internal import DevrunCore

/// What stands between `${` and `}` (the forms are at `AzdsLocalEnv`).
enum LocalEnvToken {
  private enum Kind: String, CaseIterable {
    case volumes, services, env
  }

  /// The segment that a token means.
  ///
  /// - Throws: the mistake in it.
  static func parse(
    _ text: String, at position: TextPosition
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.Segment {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, let kind = Kind(rawValue: parts[0]) else {
      throw .unknownToken(text, suggestion: suggestion(for: text, parts))
    }
    return switch kind {
    case .volumes: .volume(try volume(parts[1], at: position))
    case .services: .service(try service(parts[1], at: position))
    case .env: .variable(try variable(parts[1], at: position))
    }
  }

  /// `NAME`, `NAME/PART`, either with `|/path` behind.
  private static func volume(
    _ text: String, at position: TextPosition
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.VolumeReference {
    let halves = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let parts = halves[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var reference = LocalEnvFile.VolumeReference(pattern: try VolumeSyntax.name(parts[0]), position: position)
    if parts.count == 2, !parts[1].allSatisfy({ $0 == "/" }) {
      guard let part = VolumePart(parts[1]) else { throw .invalidVolumePart(parts[1]) }
      reference.part = part
    }
    if halves.count == 2 { reference.mountPath = try VolumeSyntax.mountPath(halves[1]) }
    return reference
  }

  /// `NAME` or `NAMESPACE.NAME`
  private static func service(
    _ text: String, at position: TextPosition
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.ServiceReference {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2, parts.allSatisfy(DNSName.isLabel) else { throw .invalidServiceName(text) }
    return LocalEnvFile.ServiceReference(
      namespace: parts.count == 2 ? parts[0] : nil, name: parts[parts.count - 1], position: position)
  }

  /// `NAME` or `NAME:-TEXT`
  private static func variable(
    _ text: String, at position: TextPosition
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.VariableReference {
    let (name, fallback) = nameAndFallback(text)
    guard DotenvName.isValid(name.utf8) else { throw .invalidVariable(name) }
    return LocalEnvFile.VariableReference(
      name: RawString(name), fallback: fallback.map { RawString($0) }, position: position)
  }

  private static func nameAndFallback(_ text: String) -> (name: String, fallback: String?) {
    guard let range = text.firstRange(of: ":-") else { return (text, nil) }
    return (String(text[..<range.lowerBound]), String(text[range.upperBound...]))
  }

  /// The known form that was most likely meant by `text`, whose `parts` were around its first dot.
  private static func suggestion(for text: String, _ parts: [String]) -> String? {
    if let kind = nearest(to: parts[0], in: Kind.allCases.map(\.rawValue)) {
      return "\(kind).\(parts.count == 2 && !parts[1].isEmpty ? parts[1] : "NAME")"
    }
    // `${HOME}` is what a shell and some dotenv readers understand.
    return parts.count == 1 && DotenvName.isValid(nameAndFallback(text).name.utf8) ? "env.\(text)" : nil
  }
}
