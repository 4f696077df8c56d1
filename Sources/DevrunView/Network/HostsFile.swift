internal import DevrunCore

/// The text of the private `/etc/hosts` (hosts(5)).
///
/// The first line that has a name decides. So the machine's own names come first (localhost and its host name), then
/// the cluster's, then what else the machine's file says, without the names that the cluster has.
package struct HostsFile {
  /// The machine's own file.
  package let machine: [Line]
  /// The names that stay the machine's.
  let own: Set<String>

  /// An entry of a hosts file.
  package struct Line: Hashable {
    /// The address as it stands there.
    package var address: String
    /// The names, the canonical one first.
    package var names: [String]

    var text: String { "\(address)\t\(names.joined(separator: " "))\n" }
  }

  /// Reads the machine's file.
  package init(machine text: String, hostname: String) {
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
  }

  /// The whole file with the given services in it.
  func text(_ book: AddressBook) -> String {
    let services = Self.lines(book.entries, except: own)
    let taken = Set(services.flatMap(\.names))
    let first = machine.compactMap { $0.keeping { own.contains($0) } }
    let rest = machine.compactMap { $0.keeping { !own.contains($0) && !taken.contains($0) } }
    let localhost =
      first.contains { $0.names.contains("localhost") } ? [] : [Line(address: "127.0.0.1", names: ["localhost"])]
    return (localhost + first + services + rest).map(\.text).joined()
  }

  /// What is to be appended for services that are new.
  func addition(_ entries: [AddressBook.Key: AddressBook.Entry]) -> String {
    Self.lines(entries, except: own).map(\.text).joined()
  }

  private static func lines(_ entries: [AddressBook.Key: AddressBook.Entry], except own: Set<String>) -> [Line] {
    entries.sorted { $0.key < $1.key }.compactMap { _, entry in
      Line(address: entry.local.description, names: entry.names).keeping { !own.contains($0) }
    }
  }
}

extension HostsFile.Line {
  /// The line with some of its names; `nil` where none is left.
  fileprivate func keeping(_ isKept: (String) -> Bool) -> HostsFile.Line? {
    let kept = names.filter(isKept)
    return kept.isEmpty ? nil : HostsFile.Line(address: address, names: kept)
  }
}
