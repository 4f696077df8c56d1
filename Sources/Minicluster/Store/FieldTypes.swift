// A number or a truth value where a text must be is the commonest mistake in a manifest (`value: 1`, `"y": true`). The
// API server refuses such an object when it decodes it, and so does this: in the words of encoding/json, for the fields
// that manifests have.
internal import DevrunCore
internal import DevrunKube

/// Refuses an object whose fields have values of other types than the API's.
struct FieldTypes {
  private enum FieldType {
    case text
    case number
    case texts
    case map
    case object
    case objects
  }

  private static let types: [String: FieldType] = [
    "name": .text, "image": .text, "value": .text, "mountPath": .text, "workingDir": .text, "nodeName": .text,
    "serviceAccountName": .text, "restartPolicy": .text, "imagePullPolicy": .text, "generateName": .text,
    "clusterIP": .text, "secretName": .text, "replicas": .number, "containerPort": .number,
    "terminationGracePeriodSeconds": .number, "minReadySeconds": .number, "revisionHistoryLimit": .number,
    "progressDeadlineSeconds": .number, "initialDelaySeconds": .number, "periodSeconds": .number,
    "timeoutSeconds": .number, "successThreshold": .number, "failureThreshold": .number, "defaultMode": .number,
    "command": .texts, "args": .texts, "finalizers": .texts, "labels": .map, "annotations": .map, "matchLabels": .map,
    "nodeSelector": .map, "metadata": .object, "spec": .object, "status": .object, "template": .object,
    "containers": .objects, "initContainers": .objects, "env": .objects, "volumes": .objects,
    "volumeMounts": .objects, "ports": .objects,
  ]
  /// The types whose names the message has.
  private static let structs: [String: String] = [
    "metadata": "ObjectMeta", "containers": "Container", "initContainers": "Container", "env": "EnvVar",
    "volumes": "Volume", "volumeMounts": "VolumeMount", "ports": "ContainerPort", "selector": "LabelSelector",
    "livenessProbe": "Probe", "readinessProbe": "Probe", "startupProbe": "Probe", "template": "PodTemplateSpec",
  ]

  private let kind: ObjectKind

  /// Checks all fields of an object.
  ///
  /// - Throws: 400 in the API server's words.
  static func check(_ object: KubeObject, _ kind: ObjectKind) throws(APIFailure) {
    try FieldTypes(kind: kind).check(object.json, at: [], in: kind.kind)
  }

  private func check(_ value: JSONValue, at path: [String], in structure: String) throws(APIFailure) {
    switch value {
    case .array(let elements):
      for element in elements { try check(element, at: path, in: structure) }
    case .object(let members):
      for (name, member) in members {
        // What people name themselves is no field: keys of data, labels.
        if kind == .configMap || kind == .secret, path.isEmpty, ["data", "stringData", "binaryData"].contains(name) {
          try check(member, is: .map, at: [name], in: structure)
          continue
        }
        let path = path + [name]
        // A volume of the kind `image` has an object where a container has a text.
        if let type = Self.types[name], structure != "Volume" || name == "name" {
          try check(member, is: type, at: path, in: structure)
          if type == .map { continue }
        }
        if name == "managedFields" || name == "limits" || name == "requests" || name == "status" { continue }
        try check(member, at: path, in: structName(at: path))
      }
    default: break
    }
  }

  private func structName(at path: [String]) -> String {
    guard let name = path.last else { return kind.kind }
    if name == "spec" { return path.count == 1 ? "\(kind.kind)Spec" : "PodSpec" }
    if name == "ports", kind == .service { return "ServicePort" }
    return Self.structs[name] ?? (name.prefix(1).uppercased() + name.dropFirst())
  }

  private func check(
    _ value: JSONValue, is type: FieldType, at path: [String], in structure: String
  ) throws(APIFailure) {
    let wrong: (JSONValue, String)? =
      switch type {
      case .text: value.string == nil ? (value, "string") : nil
      case .number: value.int == nil ? (value, "int32") : nil
      case .texts: Self.wrongElement(of: value) { $0.string == nil }.map { ($0, "string") }
      case .map:
        value.object.map { members in
          members.values.first { $0.string == nil && $0 != .null }.map { ($0, "string") }
        } ?? (value, "map[string]string")
      case .object: value.object == nil ? (value, "v1.\(structName(at: path))") : nil
      case .objects: Self.wrongElement(of: value) { $0.object == nil }.map { ($0, "v1.\(structName(at: path))") }
      }
    guard let (found, expected) = wrong, value != .null else { return }
    throw .badRequest(
      "\(kind.kind) in version \"\(kind.version)\" cannot be handled as a \(kind.kind): json: cannot unmarshal "
        + "\(found.goKind) into Go struct field \(structure).\(path.joined(separator: ".")) of type \(expected)")
  }

  /// The first element of a list that is wrong, or the value itself if it is no list.
  private static func wrongElement(of value: JSONValue, _ isWrong: (JSONValue) -> Bool) -> JSONValue? {
    guard let elements = value.array else { return value }
    return elements.first(where: isWrong)
  }
}

extension JSONValue {
  /// What Go's decoder calls this kind of value.
  var goKind: String {
    switch self {
    case .null: "null"
    case .bool: "bool"
    case .int, .double: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}
