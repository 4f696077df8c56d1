import DevrunCore

/// Answers of the API in Kubernetes' own encoding, `application/vnd.kubernetes.protobuf`.
///
/// Long lists cost the API server a tenth of what their JSON costs, and they are half as long; a cluster can have
/// thousands of services. An answer begins with `k8s` and a zero byte; then a message names the kind of the object and holds
/// it (https://kubernetes.io/docs/reference/using-api/api-concepts/#kubernetes-protobuf-encoding).
///
/// It is read into the JSON that the server would have sent, but with the fields alone that are named here.
enum KubernetesProtobuf {
  /// The type of such an answer.
  static let contentType = "application/vnd.kubernetes.protobuf"

  private static let magic: [UInt8] = [0x6b, 0x38, 0x73, 0x00]

  /// Whether lists of a collection can be read.
  static func canRead(_ path: ResourcePath) -> Bool {
    let version = path.group.isEmpty ? path.version : "\(path.group)/\(path.version)"
    return path.name == nil && path.subresource == nil && resources.contains("\(version) \(path.resource)")
  }

  /// Reads an answer; `nil` if it is in another encoding.
  static func json(of body: [UInt8]) throws(ProtobufError) -> JSONValue? {
    guard body.starts(with: magic) else { return nil }
    var reader = ProtobufReader(body, in: magic.count..<body.count)
    var type: JSONValue = [:]
    var object = 0..<0
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (1, .bytes(let range)): type = try typeMeta.json(body, range)
      case (2, .bytes(let range)): object = range
      default: break
      }
    }
    let kind = "\(type["apiVersion"]?.string ?? "") \(type["kind"]?.string ?? "")"
    guard let schema = kinds[kind] else { throw .unknownKind(kind) }
    var json = try schema.json(body, object)
    json["apiVersion"] = type["apiVersion"]
    json["kind"] = type["kind"]
    return json
  }

  /// Versions and resources.
  private static let resources: Set = [
    "v1 services", "v1 endpoints", "discovery.k8s.io/v1 endpointslices", "discovery.k8s.io/v1beta1 endpointslices",
  ]

  /// Versions and kinds.
  private static let kinds = [
    "v1 ServiceList": list(of: service), "v1 EndpointsList": list(of: endpoints),
    "discovery.k8s.io/v1 EndpointSliceList": list(of: endpointSlice),
    "discovery.k8s.io/v1beta1 EndpointSliceList": list(of: endpointSlice), "v1 Status": status,
  ]

  /// `runtime` TypeMeta
  private static let typeMeta = ProtobufSchema(fields: [1: .one("apiVersion", .string), 2: .one("kind", .string)])
}

// MARK: - The messages, by `generated.proto` of k8s.io/apimachinery and k8s.io/api

extension KubernetesProtobuf {
  /// A list of objects.
  private static func list(of item: ProtobufSchema) -> ProtobufSchema {
    ProtobufSchema(fields: [1: .one("metadata", .message(listMeta)), 2: .many("items", .message(item))])
  }

  /// `meta/v1` ListMeta
  private static let listMeta = ProtobufSchema(
    fields: [2: .one("resourceVersion", .string), 3: .one("continue", .string)])

  /// `meta/v1` ObjectMeta
  private static let objectMeta = ProtobufSchema(fields: [
    1: .one("name", .string), 3: .one("namespace", .string), 5: .one("uid", .string),
    6: .one("resourceVersion", .string), 7: .one("generation", .integer), 11: .one("labels", .stringMap),
    12: .one("annotations", .stringMap),
  ])

  /// `core/v1` Service
  private static let service = ProtobufSchema(fields: [
    1: .one("metadata", .message(objectMeta)), 2: .one("spec", .message(serviceSpec)),
  ])

  /// `core/v1` ServiceSpec
  private static let serviceSpec = ProtobufSchema(fields: [
    1: .many("ports", .message(servicePort)), 2: .one("selector", .stringMap), 3: .one("clusterIP", .string),
    4: .one("type", .string), 5: .many("externalIPs", .string), 7: .one("sessionAffinity", .string),
    10: .one("externalName", .string), 13: .one("publishNotReadyAddresses", .boolean),
    17: .one("ipFamilyPolicy", .string), 18: .many("clusterIPs", .string), 19: .many("ipFamilies", .string),
  ])

  /// `core/v1` ServicePort
  private static let servicePort = ProtobufSchema(fields: [
    1: .one("name", .string), 2: .one("protocol", .string), 3: .one("port", .integer),
    4: .one("targetPort", .integerOrString), 5: .one("nodePort", .integer), 6: .one("appProtocol", .string),
  ])

  /// `core/v1` Endpoints
  private static let endpoints = ProtobufSchema(fields: [
    1: .one("metadata", .message(objectMeta)), 2: .many("subsets", .message(endpointSubset)),
  ])

  /// `core/v1` EndpointSubset
  private static let endpointSubset = ProtobufSchema(fields: [
    1: .many("addresses", .message(endpointAddress)), 2: .many("notReadyAddresses", .message(endpointAddress)),
  ])

  /// `core/v1` EndpointAddress
  private static let endpointAddress = ProtobufSchema(fields: [
    1: .one("ip", .string), 2: .one("targetRef", .message(objectReference)), 3: .one("hostname", .string),
    4: .one("nodeName", .string),
  ])

  /// `core/v1` ObjectReference
  private static let objectReference = ProtobufSchema(fields: [
    1: .one("kind", .string), 2: .one("namespace", .string), 3: .one("name", .string), 4: .one("uid", .string),
  ])

  /// `discovery.k8s.io/v1` and `v1beta1` EndpointSlice
  private static let endpointSlice = ProtobufSchema(fields: [
    1: .one("metadata", .message(objectMeta)), 2: .many("endpoints", .message(endpoint)),
    4: .one("addressType", .string),
  ])

  /// `discovery.k8s.io/v1` Endpoint. Of `v1beta1` the fifth field is `topology`, whose place in `v1` nothing is written to.
  private static let endpoint = ProtobufSchema(fields: [
    1: .many("addresses", .string), 2: .one("conditions", .message(endpointConditions)), 3: .one("hostname", .string),
    4: .one("targetRef", .message(objectReference)), 5: .one("topology", .stringMap), 6: .one("nodeName", .string),
  ])

  /// `discovery.k8s.io/v1` EndpointConditions
  private static let endpointConditions = ProtobufSchema(fields: [
    1: .one("ready", .boolean), 2: .one("serving", .boolean), 3: .one("terminating", .boolean),
  ])

  /// `meta/v1` Status
  private static let status = ProtobufSchema(fields: [
    1: .one("metadata", .message(listMeta)), 2: .one("status", .string), 3: .one("message", .string),
    4: .one("reason", .string), 5: .one("details", .message(statusDetails)), 6: .one("code", .integer),
  ])

  /// `meta/v1` StatusDetails
  private static let statusDetails = ProtobufSchema(fields: [
    1: .one("name", .string), 2: .one("group", .string), 3: .one("kind", .string),
    4: .many("causes", .message(statusCause)), 5: .one("retryAfterSeconds", .integer), 6: .one("uid", .string),
  ])

  /// `meta/v1` StatusCause
  private static let statusCause = ProtobufSchema(fields: [
    1: .one("reason", .string), 2: .one("message", .string), 3: .one("field", .string),
  ])
}
