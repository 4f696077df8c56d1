internal import DevrunCore
internal import DevrunKube

/// The columns in which kubectl prints objects of a kind (`meta.k8s.io/v1` Table). They are those of Kubernetes'
/// pkg/printers/internalversion.
struct Table: Sendable {
  /// A column.
  struct Column: Sendable, Hashable {
    /// Its heading.
    var name: String
    /// The type of its cells: `string` or `integer`.
    var type = "string"
    /// 0, or 1 for a column that only `-o wide` shows.
    var priority = 0
    /// `name` for the column of names.
    var format = ""

    init(_ name: String, type: String = "string", isWide: Bool = false) {
      self.name = name
      self.type = type
      priority = isWide ? 1 : 0
      format = name == "Name" ? "name" : ""
    }

    fileprivate var json: JSONValue {
      [
        "name": .string(name), "type": .string(type), "format": .string(format), "description": "",
        "priority": .int(Int64(priority)),
      ]
    }
  }

  /// The columns.
  var columns: [Column]
  /// The cells of an object, one for each column.
  var cells: @Sendable (KubeObject) -> [JSONValue]

  /// A table of given columns.
  init(_ columns: [Column], cells: @escaping @Sendable (KubeObject) -> [JSONValue]) {
    self.columns = columns
    self.cells = cells
  }

  /// The table of a kind.
  init(_ kind: ObjectKind) {
    self =
      switch kind {
      case .pod: .pods
      case .deployment: .deployments
      case .replicaSet: .replicaSets
      case .statefulSet: .statefulSets
      case .daemonSet: .daemonSets
      case .service: .services
      case .endpoints: .endpoints
      case .endpointSlice: .endpointSlices
      case .networkPolicy: .networkPolicies
      case .podDisruptionBudget: .podDisruptionBudgets
      case .configMap: .configMaps
      case .secret: .secrets
      case .serviceAccount: .serviceAccounts
      case .node: .nodes
      case .namespace: .namespaces
      case .event: .events
      case .persistentVolumeClaim: .persistentVolumeClaims
      default: .plain
      }
  }

  /// Name and age, for a kind without columns of its own.
  static let plain = Table([Column("Name"), Column("Age")]) { [.string($0.name), age(of: $0)] }

  /// The table of objects.
  func json(
    of objects: [KubeObject], metadata: JSONValue, _ included: Representation.TableObjects, hasColumns: Bool = true
  ) -> JSONValue {
    let rows = objects.map { object -> JSONValue in
      var row: JSONValue = ["cells": .array(cells(object))]
      switch included {
      case .none: break
      case .metadata: row["object"] = Representation.metadata(of: object)
      case .object: row["object"] = object.json
      }
      return row
    }
    return [
      "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
      "columnDefinitions": hasColumns ? .array(columns.map(\.json)) : .null, "rows": .array(rows),
    ]
  }
}

// MARK: - What several tables need

extension Table {
  /// The age of an object.
  static func age(of object: KubeObject) -> JSONValue { .string(HumanDuration.since(object.creationTimestamp)) }

  /// A number of a status or spec; 0 if it is absent.
  static func number(_ value: JSONValue?) -> JSONValue { .int(Int64(value?.int ?? 0)) }

  /// A text; `<none>` if it is absent or empty.
  static func text(_ value: String?) -> JSONValue { .string(value.flatMap { $0.isEmpty ? nil : $0 } ?? "<none>") }

  /// Texts with commas between them; `<none>` if there is none.
  static func text(_ values: [String]) -> JSONValue { text(values.joined(separator: ",")) }

  /// Labels with commas between them; `<none>` if there is none.
  static func text(_ labels: [String: String]?) -> JSONValue { text(LabelSelector.text(of: labels ?? [:])) }

  /// The names and the images of a template's containers.
  static func containers(of object: KubeObject) -> [JSONValue] {
    let containers = object.template.containers
    return [text(containers.map(\.name)), text(containers.map { $0.image ?? "" })]
  }
}
