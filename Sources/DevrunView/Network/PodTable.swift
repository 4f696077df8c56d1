internal import DevrunCore
internal import DevrunKube

/// Reads the Tables of a list and a watch of pods (`meta.k8s.io/v1`): the columns that `kubectl get pods -o wide` prints.
///
/// A row is some 150 bytes, where a pod is some 10 KB. It has no namespace; so the pods of all namespaces are told apart by
/// name and address together.
struct PodTable: Sendable {
  /// The most pods that are taken in.
  static let limit = 50_000

  private struct Columns {
    var name: Int
    var ip: Int
    var node: Int
  }

  /// The namespace whose pods are read; `nil` for all.
  private let namespace: String?
  /// Where the columns are: a connection has that in its first Table only.
  private var columns: Columns?

  /// A reader that has read nothing yet.
  init(namespace: String?) { self.namespace = namespace }

  /// The event of a watch of Tables.
  mutating func event(_ event: WatchEvent) -> AddressEvent {
    switch event {
    case .snapshot(let pages):
      var groups: [AddressGroup] = []
      for page in pages { groups += self.groups(page).prefix(Self.limit - groups.count) }
      return .snapshot(.pods, groups)
    case .added(let table), .modified(let table): return .update(groups(table))
    case .deleted(let table): return .removal(groups(table).map(\.key))
    }
  }

  private mutating func groups(_ table: KubeObject) -> [AddressGroup] {
    let names = (table.json["columnDefinitions"]?.array ?? []).map { $0["name"]?.string?.lowercased() }
    if let name = names.firstIndex(of: "name"), let ip = names.firstIndex(of: "ip"),
      let node = names.firstIndex(of: "node")
    {
      columns = Columns(name: name, ip: ip, node: node)
    }
    guard let columns else { return [] }
    return (table.json["rows"]?.array ?? []).compactMap { group($0["cells"]?.array ?? [], columns) }
  }

  private func group(_ cells: [JSONValue], _ columns: Columns) -> AddressGroup? {
    guard max(columns.name, columns.ip, columns.node) < cells.count, let name = cells[columns.name].string else {
      return nil
    }
    // A pod that waits for its address has `<none>` in that cell.
    let ip = cells[columns.ip].string.flatMap { IPAddress($0) }
    let address = ip.map {
      AddressGroup.Address(ip: $0, pod: namespace.map { "\($0)/\(name)" } ?? name, node: cells[columns.node].string)
    }
    guard let namespace else {
      return ip.map {
        AddressGroup(
          key: .init(source: .pods, namespace: "", name: "\(name) \($0)"), addresses: [address].compactMap { $0 })
      }
    }
    return AddressGroup(
      key: .init(source: .pods, namespace: namespace, name: name), addresses: [address].compactMap { $0 })
  }
}
