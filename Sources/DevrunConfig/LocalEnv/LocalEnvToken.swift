internal import DevrunCore

/// What stands between `${` and `}`.
enum LocalEnvToken {
  private static let volumes = "volumes"
  private static let services = "services"

  /// The segment that a token means.
  ///
  /// - Throws: the mistake in it.
  static func parse(
    _ text: String, at position: LocalEnvFile.Position
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.Segment {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, [volumes, services].contains(parts[0]) else {
      throw .unknownToken(text, suggestion: suggestion(for: parts))
    }
    return parts[0] == volumes ? try volume(parts[1], at: position) : try service(parts[1], at: position)
  }

  private static func volume(
    _ text: String, at position: LocalEnvFile.Position
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.Segment {
    let parts = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard !parts[0].isEmpty,
      parts[0].utf8.allSatisfy({ DNSName.isLabelLetter($0) || $0 == UInt8(ascii: "*") })
    else { throw .invalidVolumeName(parts[0]) }
    var reference = LocalEnvFile.VolumeReference(pattern: VolumePattern(parts[0]), position: position)
    if parts.count == 2 {
      let names = parts[1].split(separator: "/")
      guard parts[1].hasPrefix("/"), !names.isEmpty, !names.contains("."), !names.contains("..") else {
        throw .invalidMountPath(parts[1])
      }
      reference.mountPath = names.map { "/\($0)" }.joined()
    }
    return .volume(reference)
  }

  private static func service(
    _ text: String, at position: LocalEnvFile.Position
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.Segment {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2, parts.allSatisfy(DNSName.isLabel) else {
      throw .invalidServiceName(text)
    }
    return .service(
      LocalEnvFile.ServiceReference(
        namespace: parts.count == 2 ? parts[0] : nil, name: parts[parts.count - 1], position: position))
  }

  /// The known form that is nearest to `first.rest`.
  private static func suggestion(for parts: [String]) -> String? {
    guard let kind = nearest(to: parts[0], in: [volumes, services]) else { return nil }
    return "\(kind).\(parts.count == 2 && !parts[1].isEmpty ? parts[1] : "NAME")"
  }
}
