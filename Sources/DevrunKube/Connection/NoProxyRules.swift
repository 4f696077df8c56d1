import DevrunCore

/// Which servers are reached without the environment's proxy: `NO_PROXY`, read as Go's `httpproxy` package reads it,
/// because that is how kubectl behaves.
///
/// A comma-separated list of: `*` (everything), an IP address, a CIDR block, a domain (`example.com` means the domain
/// and all below it, `.example.com` and `*.example.com` only what is below it); all but a block may have a `:port`.
struct NoProxyRules: Sendable, Hashable {
  private enum Rule: Sendable, Hashable {
    case all
    case address(IPAddress, port: Int?)
    case block(IPNetwork)
    case domain(suffix: String, alsoItself: Bool, port: Int?)
  }

  private let rules: [Rule]

  /// The rules of a `NO_PROXY` text.
  init(_ text: String) {
    rules = text.split(separator: ",").compactMap { entry in
      Self.rule(entry.lowercased().drop(while: \.isWhitespace).trimmingSuffix(while: \.isWhitespace))
    }
  }

  /// Whether a server is reached without the environment's proxy. `localhost` and loopback addresses always are.
  func exclude(host: String, port: Int) -> Bool {
    let host = host.lowercased()
    if host == "localhost" { return true }
    let address = IPAddress(host)
    if address?.isLoopback == true { return true }
    return rules.contains { rule in
      switch rule {
      case .all: true
      case .address(let excluded, let onlyPort): address == excluded && (onlyPort ?? port) == port
      case .block(let network):
        address.map { $0.isIPv4 == network.address.isIPv4 && network.contains($0) } ?? false
      case .domain(let suffix, let alsoItself, let onlyPort):
        address == nil && (onlyPort ?? port) == port
          && (host.hasSuffix("." + suffix) || (alsoItself && host == suffix))
      }
    }
  }

  private static func rule(_ entry: Substring) -> Rule? {
    if entry.isEmpty { return nil }
    if entry == "*" { return .all }
    if entry.contains("/") { return IPNetwork(String(entry)).map { .block($0) } }
    if let address = IPAddress(String(entry)) { return .address(address, port: nil) }
    guard let (host, port) = ServerURL.hostAndPort(entry) else { return nil }
    if let address = IPAddress(host) { return .address(address, port: port) }
    var suffix = host[...]
    if suffix.hasPrefix("*.") { suffix = suffix.dropFirst() }
    let alsoItself = !suffix.hasPrefix(".")
    if !alsoItself { suffix = suffix.dropFirst() }
    return suffix.isEmpty ? nil : .domain(suffix: String(suffix), alsoItself: alsoItself, port: port)
  }
}

extension Substring {
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
    guard let last = lastIndex(where: { !predicate($0) }) else { return "" }
    return self[...last]
  }
}
