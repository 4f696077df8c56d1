// The files that kubelet itself shows in each container: /etc/hosts and /etc/resolv.conf
// (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).

internal import DevrunCore
internal import DevrunKube

/// The contents of a pod's own files.
struct PodFiles: Sendable {
  /// The pod.
  var pod: KubeObject
  /// The pod's address.
  var address: String
  /// The address of the cluster's resolver.
  var resolver: String
  /// The machine's own resolv.conf, for pods that use the node's names.
  var machineResolverFile: String

  /// The pod's host name: its own word for it, or its name, at most 63 characters.
  static func hostName(of pod: KubeObject) -> String {
    if let own = pod.spec["hostname"]?.string, !own.isEmpty { return own }
    let name = String(pod.name.prefix(63))
    return String(name.reversed().drop { $0 == "-" || $0 == "." }.reversed())
  }

  /// The contents of /etc/hosts.
  var hosts: String {
    let name = Self.hostName(of: pod)
    var names = [name]
    if let subdomain = pod.spec["subdomain"]?.string, !subdomain.isEmpty {
      names.insert("\(name).\(subdomain).\(pod.namespace ?? "").svc.\(ClusterNames.domain)", at: 0)
    }
    var text = """
      # Kubernetes-managed hosts file.
      127.0.0.1\tlocalhost
      ::1\tlocalhost ip6-localhost ip6-loopback
      fe00::0\tip6-localnet
      fe00::0\tip6-mcastprefix
      fe00::1\tip6-allnodes
      fe00::2\tip6-allrouters
      \(address)\t\(names.joined(separator: "\t"))

      """
    let aliases = pod.spec["hostAliases"]?.array ?? []
    guard !aliases.isEmpty else { return text }
    text += "\n# Entries added by HostAliases.\n"
    for alias in aliases {
      let names = (alias["hostnames"]?.array ?? []).compactMap(\.string)
      text += "\(alias["ip"]?.string ?? "")\t\(names.joined(separator: "\t"))\n"
    }
    return text
  }

  /// The contents of /etc/resolv.conf.
  var resolverFile: String {
    var (searches, servers, options): ([String], [String], [String]) = ([], [], [])
    switch pod.spec["dnsPolicy"]?.string {
    case "None": break
    case "Default":
      for line in machineResolverFile.split(separator: "\n") {
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        switch words.first {
        case "nameserver": servers += words.dropFirst()
        case "search": searches = Array(words.dropFirst())
        case "options": options += words.dropFirst()
        default: break
        }
      }
    default:
      let domain = ClusterNames.domain
      searches = ["\(pod.namespace ?? "").svc.\(domain)", "svc.\(domain)", domain]
      servers = [resolver]
      options = ["ndots:5"]
    }
    let own = pod.spec["dnsConfig"] ?? [:]
    servers += (own["nameservers"]?.array ?? []).compactMap(\.string)
    searches += (own["searches"]?.array ?? []).compactMap(\.string)
    for option in own["options"]?.array ?? [] {
      guard let name = option["name"]?.string else { continue }
      options.removeAll { $0 == name || $0.hasPrefix(name + ":") }
      options.append(option["value"]?.string.map { "\(name):\($0)" } ?? name)
    }
    var lines: [String] = []
    if !searches.isEmpty { lines.append("search \(searches.joined(separator: " "))") }
    lines += servers.map { "nameserver \($0)" }
    if !options.isEmpty { lines.append("options \(options.joined(separator: " "))") }
    return lines.map { $0 + "\n" }.joined()
  }
}
