internal import DevrunCore

/// The text of the private `/etc/hosts` (hosts(5)).
///
/// The first line that has a name decides. So the machine's own names come first (localhost and its host name), then those
/// of the pod's own hosts file, then the cluster's, then what else the machine's file says, without the names that came
/// before.
package struct HostsFile: Sendable {
  /// The longest line. musl reads 511 bytes at once, and takes the rest of a longer line for another one.
  static let maximumLine = 500

  /// The machine's own file.
  package let machine: [Line]
  /// The names that stay the machine's.
  let own: Set<String>
  /// What the pod's own file has.
  private let pod: PodHosts
  /// The names that the cluster's services and pods do not get.
  private let reserved: Set<String>
  /// Whether the names of the cluster have IPv6 addresses, too.
  private let hasIPv6: Bool

  /// An entry of a hosts file.
  package struct Line: Sendable, Hashable {
    /// The address as it stands there.
    package var address: String
    /// The names, the canonical one first.
    package var names: [String]

    var text: String { "\(address)\t\(names.joined(separator: " "))\n" }
  }

  /// Reads a hosts file.
  package init(reading text: String) { self.init(machine: text, hostname: "", pod: PodHosts(), hasIPv6: false) }

  /// Reads the machine's file.
  ///
  /// - Parameters:
  ///   - text: the file.
  ///   - hostname: this machine's name.
  ///   - pod: what the pod's own file has.
  ///   - hasIPv6: whether the names of the cluster have IPv6 addresses, too.
  init(machine text: String, hostname: String, pod: PodHosts, hasIPv6: Bool) {
    let localhost: Set = [
      "localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback",
    ]
    var own = localhost
    if !hostname.isEmpty { own.insert(hostname) }
    let lines = text.split(whereSeparator: \.isNewline).compactMap { line -> Line? in
      let fields = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
      return fields.count > 1 ? Line(address: fields[0], names: Array(fields.dropFirst())) : nil
    }
    // The host's canonical name stands on the line of its short one.
    for line in lines where line.names.contains(where: { $0 == hostname }) { own.formUnion(line.names) }
    self.machine = lines
    self.own = own
    self.pod = pod
    self.hasIPv6 = hasIPv6
    reserved = own.union(pod.own).union(pod.aliases.flatMap(\.names))
  }

  /// The whole file with the names of a book in it.
  func text(_ book: AddressBook) -> String {
    let pods = lines(book.pods.sorted { $0.key < $1.key }.map(\.value), except: reserved)
    // `db-0.db` means the pod, also where a namespace `db` has a service `db-0`.
    let services = lines(
      book.entries.sorted { $0.key < $1.key }.map(\.value), except: reserved.union(pods.flatMap(\.names)))
    // Of thousands of names those alone that the machine has, too.
    let known = Set(machine.flatMap(\.names))
    let taken = (pods + services).reduce(into: reserved) { $0.formUnion($1.names.filter(known.contains)) }
    let first = machine.compactMap { $0.keeping { own.contains($0) } }
    let rest = machine.compactMap { $0.keeping { !taken.contains($0) } }
    let localhost =
      first.contains { $0.names.contains("localhost") } ? [] : [Line(address: "127.0.0.1", names: ["localhost"])]
    let container = [Line(address: "127.0.0.1", names: pod.own).keeping { !own.contains($0) }].compactMap { $0 }
    let aliases = pod.aliases.compactMap { $0.keeping { !own.contains($0) && !pod.own.contains($0) } }
    return (localhost + first + container + aliases + pods + services + rest).map(\.text).joined()
  }

  /// What is to be appended for names that are new.
  func addition(_ entries: [AddressBook.Entry]) -> String { lines(entries, except: reserved).map(\.text).joined() }

  private func lines(_ entries: [AddressBook.Entry], except others: Set<String>) -> [Line] {
    entries.flatMap { entry -> [Line] in
      // A resolver that finds a name with a dot at its end in no file asks its servers, which do not know it.
      let names = entry.names.filter { !others.contains($0) }
      let rooted = entry.fullNames.filter { !others.contains($0) }.map { $0 + "." }
      guard !names.isEmpty else { return [] }
      let addresses = [entry.local, hasIPv6 ? LocalAddresses.address6(of: entry.local) : nil].compactMap { $0 }
      return addresses.flatMap { Line(address: $0.description, names: names + rooted).parts }
    }
  }
}

extension HostsFile.Line {
  /// The line with some of its names; `nil` where none is left.
  fileprivate func keeping(_ isKept: (String) -> Bool) -> HostsFile.Line? {
    let kept = names.filter(isKept)
    return kept.isEmpty ? nil : HostsFile.Line(address: address, names: kept)
  }

  /// The line in as many parts as its length makes necessary.
  fileprivate var parts: [HostsFile.Line] {
    var parts: [HostsFile.Line] = []
    var length = 0
    for name in names {
      length += name.utf8.count + 1
      if let last = parts.indices.last, length <= HostsFile.maximumLine {
        parts[last].names.append(name)
      } else {
        parts.append(HostsFile.Line(address: address, names: [name]))
        length = address.utf8.count + name.utf8.count + 2
      }
    }
    return parts
  }
}
