internal import DevrunCore
internal import DevrunKube

/// What the kubelet writes into a pod's own hosts file.
struct PodHosts: Sendable, Hashable {
  /// The pod's own names. They mean this machine here, so that a program which binds to its host name is reached.
  var own: [String] = []
  /// The name of the node whose network the pod shares. It means the node, as it does in the pod, whose own name it is, too.
  var node: String?
  /// The pod's `hostAliases`.
  var aliases: [HostsFile.Line] = []

  /// Nothing.
  init() {}

  /// What a pod's file has.
  ///
  /// - Parameter domain: the cluster's domain.
  init(of pod: KubeObject, domain: String) {
    if pod.spec["hostNetwork"]?.bool == true {
      node = pod.spec["nodeName"]?.string.flatMap { Self.isName($0) && IPAddress($0) == nil ? $0 : nil }
    } else {
      // A host name is a label of at most 63 characters.
      let hostname = pod.spec["hostname"]?.string ?? String(pod.name.prefix(63))
      own = hostname.isEmpty ? [] : [hostname]
      if let subdomain = pod.spec["subdomain"]?.string, let namespace = pod.namespace, !hostname.isEmpty {
        own.insert("\(hostname).\(subdomain).\(namespace).svc.\(domain)", at: 0)
      }
    }
    own.removeAll { !Self.isName($0) }
    aliases = (pod.spec["hostAliases"]?.array ?? []).compactMap { alias in
      guard let address = alias["ip"]?.string.flatMap({ IPAddress($0) }) else { return nil }
      let names = (alias["hostnames"]?.array ?? []).compactMap(\.string).filter(Self.isName)
      return names.isEmpty ? nil : HostsFile.Line(address: address.description, names: names)
    }
  }

  /// The addresses that the aliases mean and that are reached from the pod's place: all but loopback.
  var redirected: [IPAddress] { aliases.compactMap { IPAddress($0.address) }.filter { !$0.isLoopback } }

  /// Whether a text can be a name in a line of the file.
  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.allSatisfy { !$0.isWhitespace && !$0.isNewline && $0 != "#" && $0.isASCII }
  }
}
