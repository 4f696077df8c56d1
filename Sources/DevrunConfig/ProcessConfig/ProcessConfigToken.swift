internal import DevrunCore

/// What stands between `$(` and `)` (the forms are at `KubernetesLocalProcessConfig`).
enum ProcessConfigToken {
  private enum Kind: String, CaseIterable {
    case volumeMounts, services, externalendpoints
  }

  /// The segment that a token means.
  ///
  /// - Parameter mounts: the volumes that are to be seen at a path of their own.
  /// - Throws: the mistake in it.
  static func parse(
    _ text: String, at position: TextPosition, mounts: [LocalEnvFile.VolumeReference]
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.Segment {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, let kind = Kind.allCases.first(where: { $0.rawValue.lowercased() == parts[0].lowercased() })
    else { throw .processConfig(.unknownToken(text, suggestion: suggestion(for: parts))) }
    switch kind {
    case .volumeMounts:
      let pattern = try VolumeSyntax.name(parts[1])
      let mount = mounts.first { $0.pattern == pattern }
      return .volume(
        .init(
          pattern: pattern, mountPath: mount?.mountPath, position: position, pathPosition: mount?.pathPosition))
    case .services: return .service(try service(parts[1], at: position))
    case .externalendpoints: return .endpoint(try endpoint(parts[1], at: position))
    }
  }

  /// `NAME` or `NAME.NAMESPACE`, and perhaps `:PORT,PORT`.
  private static func service(
    _ text: String, at position: TextPosition
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.ServiceReference {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let names = withoutDot(parts[0]).split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2, names.count <= 2, names.allSatisfy(DNSName.isLabel) else {
      throw .processConfig(.invalidService(text))
    }
    if parts.count == 2 { _ = try ports(parts[1]) }
    return .init(namespace: names.count == 2 ? names[1] : nil, name: names[0], position: position)
  }

  /// `HOST:PORT` or `HOST:PORT,PORT`
  private static func endpoint(
    _ text: String, at position: TextPosition
  ) throws(LocalEnvError.Reason) -> LocalEnvFile.EndpointReference {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, isHost(withoutDot(parts[0])) else { throw .processConfig(.invalidEndpoint(text)) }
    return .init(host: withoutDot(parts[0]), ports: try ports(parts[1]), position: position)
  }

  /// At least one port, with commas or blanks between.
  private static func ports(_ text: String) throws(LocalEnvError.Reason) -> [UInt16] {
    var ports: [UInt16] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let fields = part.split(separator: " ")
      for field in fields.isEmpty ? [part] : fields {
        guard let port = UInt16(field), port > 0, field.first != "+" else {
          throw .processConfig(.invalidPort(String(part)))
        }
        ports.append(port)
      }
    }
    return ports
  }

  /// A name without the dot that ends it if it is complete (RFC 1034, section 3.1).
  private static func withoutDot(_ name: String) -> String { name.hasSuffix(".") ? String(name.dropLast()) : name }

  /// Whether the text is a name of the DNS, in any letter case and with '_', or an IPv4 address.
  private static func isHost(_ text: String) -> Bool {
    DNSName.isSubdomain(text.lowercased().replacing("_", with: "-"))
  }

  /// The known form that is nearest to what stands before and behind the first colon.
  private static func suggestion(for parts: [String]) -> String? {
    // `volumes` is what azds-local.env has.
    let words = Kind.allCases.map(\.rawValue) + ["volumes"]
    guard let word = nearest(to: parts[0], in: words) else { return nil }
    let kind = word == "volumes" ? Kind.volumeMounts.rawValue : word
    return "\(kind):\(parts.count == 2 && !parts[1].isEmpty ? parts[1] : "NAME")"
  }
}
