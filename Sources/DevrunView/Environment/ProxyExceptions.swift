internal import DevrunCore
internal import DevrunSystem

// Theory of operation: a client that is behind a proxy must reach the cluster's names without it. NO_PROXY lists such
// names. It is one variable, the kernel takes at most 128 KiB of one (E2BIG), and some clients parse it for each request.
// So suffixes stand for almost all names, and networks for addresses. Of the names that no suffix covers, such as the
// short ones of the own namespace, those come first that the environment mentions, and then as many as there is room for.

/// The hosts that no proxy of this machine can reach, for `NO_PROXY`.
struct ProxyExceptions: Sendable {
  /// The most bytes that the value may have, unless the user's own has more.
  static let limit = 8192
  /// How many other namespaces are listed as suffixes.
  private static let mostNamespaces = 64

  /// What is always listed: suffixes and networks.
  var suffixes: [String] = []
  /// The names that no suffix covers, the most important first.
  var names: [String] = []

  /// No exceptions.
  init() {}

  /// The exceptions for a cluster's names.
  ///
  /// - Parameters:
  ///   - services: the services and their names; those in no namespace are hosts outside of the cluster.
  ///   - pods: the names of pods that have names of their own.
  ///   - networks: further networks that are reached from the pod's place.
  ///   - namespace: the session's namespace.
  ///   - domain: the cluster's domain.
  init(
    services: [AddressBook.Key: AddressBook.Entry], pods: [String] = [], networks: [String] = [], namespace: String,
    domain: String
  ) {
    suffixes = [".svc", ".cluster.local"] + (["cluster.local", ""].contains(domain) ? [] : [".\(domain)"])
    let fixed = suffixes
    let others = Set(services.keys.map(\.namespace)).filter(Self.canBeSuffix).subtracting([namespace]).sorted()
    let covered = Set((Self.canBeSuffix(namespace) ? [namespace] : []) + others.prefix(Self.mostNamespaces))
    suffixes += covered.contains(namespace) ? [".\(namespace)"] : []
    suffixes += ["127.0.0.0/8"] + Self.networks(of: services.values.flatMap(\.clusterIPs)).map(\.description)
    suffixes += networks
    suffixes += others.prefix(Self.mostNamespaces).map { ".\($0)" }
    let all = suffixes
    names =
      services.map { key, entry in
        let ends = covered.contains(key.namespace) ? fixed + [".\(key.namespace)"] : fixed
        return (
          rank: key.namespace.isEmpty ? 0 : key.namespace == namespace ? 1 : 2, key: key.description,
          names: entry.names.filter { name in !ends.contains(where: name.hasSuffix) }
        )
      }.sorted { ($0.rank, $0.key) < ($1.rank, $1.key) }.flatMap(\.names)
    names += pods.filter { name in !all.contains(where: name.hasSuffix) }
  }

  /// Whether an environment has a proxy.
  static func areNeeded(in variables: EnvironmentVariables) -> Bool {
    let proxies: [RawString] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    return proxies.contains { !(variables[$0]?.bytes.isEmpty ?? true) }
  }

  /// Adds the exceptions to an environment.
  ///
  /// - Parameter isLeftOut: whether the user wants to have no variable of a name.
  func extend(_ variables: inout EnvironmentVariables, except isLeftOut: (RawString) -> Bool = { _ in false }) {
    let spellings: [RawString] = ["no_proxy", "NO_PROXY"]
    let names = byImportance(in: variables)
    let present = spellings.map { variables.variable(named: $0) }
    for (name, variable) in zip(spellings, present) where !isLeftOut(name) {
      // Clients differ in which of the two they read first. If one is missing, the other counts for all of them.
      let own = variable.flatMap { $0.value.bytes.isEmpty ? nil : $0 } ?? present.compactMap { $0 }.first
      let value = extended(own?.value.description ?? "", names: names)
      variables.set(name, to: RawString(value), from: own?.origin ?? .shell)
    }
  }

  private func extended(_ value: String, names: [String]) -> String {
    // The star stands for all hosts, in some clients only if it is alone.
    if value.split(whereSeparator: { $0 == "," || $0.isWhitespace }).contains("*") { return "*" }
    var hosts = value.split(separator: ",").map { $0.trimming(" ") }
    var known = Set(hosts)
    for suffix in suffixes where known.insert(suffix).inserted { hosts.append(suffix) }
    var size = hosts.reduce(0) { $0 + $1.utf8.count + 1 }
    for name in names where size + name.utf8.count <= Self.limit && known.insert(name).inserted {
      hosts.append(name)
      size += name.utf8.count + 1
    }
    return hosts.joined(separator: ",")
  }

  /// The names, those that the value of a variable mentions first.
  private func byImportance(in variables: EnvironmentVariables) -> [String] {
    guard names.reduce(0, { $0 + $1.utf8.count + 1 }) > Self.limit / 2 else { return names }
    var mentioned: Set<Substring> = []
    for variable in variables {
      mentioned.formUnion(
        variable.value.description.split { !($0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "-" || $0 == ".") })
    }
    let first = names.filter { mentioned.contains($0[...]) }
    return first + names.filter { !mentioned.contains($0[...]) }
  }

  /// Whether a namespace can be a suffix: not if it may be one of the public DNS, as `dev` and `app` are.
  private static func canBeSuffix(_ namespace: String) -> Bool {
    !namespace.hasPrefix("xn--") && namespace.utf8.contains { !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
  }

  /// The smallest networks that hold the addresses: one for each family if they are as near to each other as those of
  /// one cluster's services, else one for each group of near ones.
  static func networks(of addresses: [IPAddress]) -> [IPNetwork] {
    [true, false].flatMap { isIPv4 -> [IPNetwork] in
      let own = addresses.filter { $0.isIPv4 == isIPv4 }
      let (widest, group) = isIPv4 ? (12, 16) : (64, 112)
      if let network = network(of: own), network.prefixLength >= widest { return [network] }
      return Dictionary(grouping: own) { $0.bytes.prefix(group / 8) }.values.compactMap(network)
        .sorted { $0.address.bytes.lexicographicallyPrecedes($1.address.bytes) }.prefix(16).map { $0 }
    }
  }

  /// The smallest network that holds the addresses, which are of one family.
  private static func network(of addresses: [IPAddress]) -> IPNetwork? {
    guard let first = addresses.first else { return nil }
    let base = AddressKey(first).bits
    let differing = addresses.reduce(UInt128(0)) { $0 | (AddressKey($1).bits ^ base) }
    let length = differing.leadingZeroBitCount - (first.isIPv4 ? 96 : 0)
    let mask = differing.leadingZeroBitCount == 0 ? 0 : ~UInt128(0) << UInt128(128 - differing.leadingZeroBitCount)
    return AddressKey(bits: base & mask).address.flatMap { IPNetwork($0, prefixLength: length) }
  }
}

extension Substring {
  fileprivate func trimming(_ character: Character) -> String {
    String(drop { $0 == character }.reversed().drop { $0 == character }.reversed())
  }
}
