public import DevrunCore

/// An object of the API as the server sent it, with names for the fields that devrun reads and writes.
///
/// The whole JSON stays: what has no name here is handed back as it came. A pod template (`core/v1` PodTemplateSpec) has
/// `metadata` and `spec` too and counts as an object.
public struct KubeObject: Sendable, Hashable {
  /// The object's JSON.
  public var json: JSONValue

  /// The object of a JSON document.
  public init(_ json: JSONValue) { self.json = json }

  /// `spec`; an empty object where there is none.
  public var spec: JSONValue {
    get { json["spec"] ?? [:] }
    set { json["spec"] = newValue }
  }

  /// `status`; an empty object where there is none.
  public var status: JSONValue { json["status"] ?? [:] }

  /// `metadata`; an empty object where there is none.
  public var metadata: JSONValue {
    get { json["metadata"] ?? [:] }
    set { json["metadata"] = newValue }
  }
}

extension KubeObject: ExpressibleByDictionaryLiteral {
  /// The object of a JSON object.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    json = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
  }
}

// MARK: - Metadata (meta/v1 ObjectMeta)

extension KubeObject {
  /// `kind`, such as `Deployment`.
  public var kind: String { json["kind"]?.string ?? "" }
  /// `metadata.name`; empty where there is none, as in a template.
  public var name: String { metadata["name"]?.string ?? "" }
  /// `metadata.namespace`
  public var namespace: String? { metadata["namespace"]?.string }
  /// `metadata.uid`
  public var uid: String? { metadata["uid"]?.string }
  /// `metadata.generation`, which counts the changes of `spec`.
  public var generation: Int { metadata["generation"]?.int ?? 0 }
  /// `metadata.creationTimestamp` (RFC 3339); empty for an object that the server has not made yet.
  public var creationTimestamp: String { metadata["creationTimestamp"]?.string ?? "" }
  /// `metadata.resourceVersion`
  public var resourceVersion: String? { metadata["resourceVersion"]?.string }
  /// Whether the object has been deleted and goes as soon as its processes and finalizers are done.
  public var isTerminating: Bool { metadata["deletionTimestamp"] != nil }
  /// `metadata.managedFields`: who owns which field.
  public var managedFields: JSONValue? { metadata["managedFields"] }

  /// `metadata.labels`
  public var labels: [String: String] {
    get { metadata["labels"]?.stringMap ?? [:] }
    set { metadata["labels"] = .object(newValue.mapValues(JSONValue.string)) }
  }

  /// `metadata.annotations`
  public var annotations: [String: String] {
    get { metadata["annotations"]?.stringMap ?? [:] }
    set { metadata["annotations"] = .object(newValue.mapValues(JSONValue.string)) }
  }

  /// An owner of an object (`meta/v1` OwnerReference).
  public struct Owner: Sendable, Hashable {
    /// The owner's kind, such as `ReplicaSet`.
    public var kind: String
    /// The owner's name.
    public var name: String
    /// The owner's uid.
    public var uid: String?
    /// Whether the owner is the one controller of the object.
    public var isController: Bool
  }

  /// `metadata.ownerReferences`
  public var owners: [Owner] {
    (metadata["ownerReferences"]?.array ?? []).compactMap { owner in
      guard let kind = owner["kind"]?.string, let name = owner["name"]?.string else { return nil }
      return Owner(
        kind: kind, name: name, uid: owner["uid"]?.string, isController: owner["controller"]?.bool ?? false)
    }
  }

  /// The controller that owns the object.
  public var controller: Owner? { owners.first(where: \.isController) }

  /// Whether the owners of this object include another.
  public func isOwned(by owner: KubeObject) -> Bool {
    guard let uid = owner.uid else { return false }
    return owners.contains { $0.uid == uid }
  }

  /// A reference by which another object names this one as its owner, and vanishes with it. `nil` for an object that the
  /// server has not named yet.
  public var ownerReference: JSONValue? {
    guard let version = json["apiVersion"], let uid else { return nil }
    return ["apiVersion": version, "kind": .string(kind), "name": .string(name), "uid": .string(uid)]
  }
}

// MARK: - Pods and what makes them

extension KubeObject {
  /// `spec.template`: the pod template of a workload.
  public var template: KubeObject {
    get { KubeObject(spec["template"] ?? [:]) }
    set { spec["template"] = newValue.json }
  }

  /// The text form of `spec.selector`, as a query takes it.
  public var labelSelector: String { LabelSelector.text(of: spec["selector"] ?? [:]) }

  /// `spec.containers` of a pod or a template.
  public var containers: [Container] {
    get { (spec["containers"]?.array ?? []).map(Container.init) }
    set { spec["containers"] = .array(newValue.map(\.json)) }
  }

  /// The container of a name in a pod or a template.
  public func container(named name: String) -> Container? { containers.first { $0.name == name } }

  /// `spec.volumes` of a pod or a template.
  public var volumes: [JSONValue] {
    get { spec["volumes"]?.array ?? [] }
    set { spec["volumes"] = .array(newValue) }
  }

  /// The status of one container of a pod (`core/v1` ContainerStatus).
  public func containerStatus(named name: String) -> JSONValue? {
    containerStatuses.first { $0["name"]?.string == name }
  }

  /// `status.containerStatuses` of a pod.
  public var containerStatuses: [JSONValue] { status["containerStatuses"]?.array ?? [] }

  /// The message of a condition in `status.conditions`, if it has the given status; empty if it has no message.
  ///
  /// - Parameters:
  ///   - type: such as `PodScheduled`.
  ///   - value: `True`, `False` or `Unknown`.
  public func message(ofCondition type: String, being value: String) -> String? {
    let conditions = status["conditions"]?.array ?? []
    return conditions.first { $0["type"]?.string == type && $0["status"]?.string == value }
      .map { $0["message"]?.string ?? "" }
  }
}

/// A container of a pod or a template (`core/v1` Container).
public struct Container: Sendable, Hashable {
  /// The container's JSON.
  public var json: JSONValue

  /// The container of a JSON document.
  public init(_ json: JSONValue) { self.json = json }

  /// `name`
  public var name: String { json["name"]?.string ?? "" }
  /// `image`
  public var image: String? { json["image"]?.string }
  /// `env`
  public var environment: [JSONValue] { json["env"]?.array ?? [] }
  /// `envFrom`
  public var environmentSources: [JSONValue] { json["envFrom"]?.array ?? [] }

  /// `volumeMounts`
  public var volumeMounts: [JSONValue] {
    get { json["volumeMounts"]?.array ?? [] }
    set { json["volumeMounts"] = .array(newValue) }
  }

  /// A port that a container declares (`core/v1` ContainerPort).
  public struct Port: Sendable, Hashable {
    /// `containerPort`
    public var number: Int
    /// `name`
    public var name: String?
    /// `protocol`: TCP unless it says otherwise.
    public var transport: String
  }

  /// `ports`
  public var ports: [Port] {
    (json["ports"]?.array ?? []).compactMap { port in
      guard let number = port["containerPort"]?.int else { return nil }
      return Port(number: number, name: port["name"]?.string, transport: port["protocol"]?.string ?? "TCP")
    }
  }
}
