public import DevrunCore

/// Hosts outside of the cluster's services that the command is to reach from the session pod's place in the network.
public struct ViaPodRule: Sendable, Hashable {
  /// Which hosts.
  public enum Place: Sendable, Hashable {
    /// The host of a name, in lower case; the pod's name servers resolve it.
    case host(String)
    /// All addresses of a network. A single address is the network of its whole length.
    case network(IPNetwork)
  }

  /// Which hosts.
  public var place: Place
  /// The ports that are reached from there; empty for all. A host that is named is reached on all its ports from there,
  /// because its name has an address of its own here.
  public var ports: Set<UInt16>

  /// A rule for the given hosts.
  public init(_ place: Place, ports: Set<UInt16> = []) {
    self.place = place
    self.ports = ports
  }

  /// Reads `HOST`, `ADDRESS` or `ADDRESS/LENGTH`, each perhaps with `:PORT,PORT` behind it. An IPv6 address that ports
  /// follow stands in brackets, with its length.
  ///
  /// - Throws: `ViaPodError`
  public init(parsing text: String) throws(ViaPodError) {
    var (host, ports) = try Self.split(text)
    guard !host.contains("*") else { throw .wildcard(text) }
    if let network = IPNetwork(host) ?? Self.single(host) {
      guard !Self.isLoopback(network) else { throw .loopback(text, ports: ports) }
      place = .network(network)
    } else {
      // A complete name may have a dot at its end, which means the same to the pod's name servers.
      if host.hasSuffix(".") { host.removeLast() }
      guard !LocalhostName.matches(host) else { throw .loopback(text, ports: ports) }
      place = .host(try Self.name(host, of: text))
    }
    self.ports = Set(ports)
  }

  /// The host and the ports, which may follow in any case but an IPv6 address without brackets.
  private static func split(_ text: String) throws(ViaPodError) -> (host: String, ports: [UInt16]) {
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { throw .malformed(text) }
      let host = String(text[text.index(after: text.startIndex)..<end])
      let rest = text[text.index(after: end)...]
      guard host.contains(":"), rest.isEmpty || rest.hasPrefix(":") else { throw .malformed(text) }
      return (host, rest.isEmpty ? [] : try self.ports(rest.dropFirst(), of: text))
    }
    if IPAddress(text) != nil || IPNetwork(text) != nil { return (text, []) }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, !text.contains("//") else { throw .malformed(text) }
    return (String(parts[0]), parts.count == 2 ? try ports(parts[1], of: text) : [])
  }

  private static func ports(_ list: Substring, of text: String) throws(ViaPodError) -> [UInt16] {
    var ports: [UInt16] = []
    for part in list.split(separator: ",", omittingEmptySubsequences: false) {
      guard part.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
        let port = UInt16(part), port > 0
      else { throw .invalidPort(text, port: String(part)) }
      ports.append(port)
    }
    return ports
  }

  private static func single(_ host: String) -> IPNetwork? {
    IPAddress(host).flatMap { IPNetwork($0, prefixLength: $0.isIPv4 ? 32 : 128) }
  }

  /// Whether a network has nothing but this machine's own addresses.
  private static func isLoopback(_ network: IPNetwork) -> Bool {
    LocalhostName.matches(network.address) && network.prefixLength >= (network.address.isIPv4 ? 8 : 128)
  }

  /// A name of the DNS, in which people also write '_'.
  private static func name(_ host: String, of text: String) throws(ViaPodError) -> String {
    let name = host.lowercased()
    // The last label of a name is never a number alone (RFC 3696 section 2): that is an address with a mistake.
    let last = name.split(separator: ".").last ?? ""
    guard DNSName.isSubdomain(name.replacing("_", with: "-")), !last.allSatisfy(\.isNumber) else {
      throw .malformed(text)
    }
    return name
  }
}

/// Why a text does not say what is to be reached from the pod's place.
public enum ViaPodError: UserFacingError, Hashable {
  /// It is no host, address or network.
  case malformed(String)
  /// Its name has a wildcard.
  case wildcard(String)
  /// One of its ports is none.
  case invalidPort(String, port: String)
  /// It means the pod's own localhost.
  case loopback(String, ports: [UInt16])
  /// A token in it is not known, or not closed.
  case invalidToken(String, token: String)
  /// Neither the container nor this shell has a variable of this name.
  case unknownVariable(String, name: String, nearest: String?)
  /// With the values of its variables, it is wrong for the reason given.
  case expanded(String, what: String, remedy: String?)

  /// The error in words.
  public var message: ErrorMessage {
    switch self {
    case .malformed(let text):
      ErrorMessage(
        "'\(text)' is no host, address or network",
        remedy: "write HOST, ADDRESS or ADDRESS/LENGTH, and perhaps :PORT,PORT: db.example.com, 10.20.0.0/16:5432")
    case .wildcard(let text):
      ErrorMessage(
        "'\(text)' has a wildcard, and wildcards are not supported", why: "a name here is a line of a hosts file",
        remedy: "name each host, or the network of their addresses")
    case .invalidPort(let text, let port):
      ErrorMessage("'\(text)': '\(port)' is no port", remedy: "ports are numbers from 1 to 65535, with commas between")
    case .loopback(let text, let ports):
      ErrorMessage(
        "'\(text)' is the localhost of whoever connects", why: "only the agent listens on the session pod's",
        remedy: "reach what listens on the localhost of the target's pods with "
          + (ports.isEmpty ? "--pod-port PORT" : ports.map { "--pod-port \($0)" }.joined(separator: " ")))
    case .invalidToken(let text, let token):
      ErrorMessage(
        "'\(text)': '\(token)' is not known", why: "known are ${env.NAME} and ${env.NAME:-text where there is none}")
    case .unknownVariable(let text, let name, let nearest):
      ErrorMessage(
        "'\(text)': neither the container nor this shell has a variable '\(name)'",
        remedy: nearest.map { "did you mean '\($0)'?" })
    case .expanded(let text, let what, let remedy):
      ErrorMessage("'\(text)' stands for this here: \(what)", remedy: remedy)
    }
  }

  /// A mistake of the command line or of devrun.yaml.
  public var exitStatus: ExitStatus { .usage }
}
