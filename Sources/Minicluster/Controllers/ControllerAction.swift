// What a controller decides is a value: a list of writes. One place performs them.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// A write that a controller has decided on.
enum ControllerAction: Sendable, Hashable {
  /// Makes an object.
  case create(ObjectKind, KubeObject)
  /// Makes a part of an object what it is here. It is refused with a conflict if the object has changed since it was read.
  case update(ObjectKind, KubeObject, ObjectStore.Part)
  /// Deletes an object, if it is still the same one.
  case delete(ObjectKind, KubeObject, propagation: String? = nil)
  /// Reports what has happened.
  case event(ControllerEvent)
}

/// An event about an object (`core/v1` Event).
struct ControllerEvent: Sendable, Hashable {
  /// The kind of the object that the event is about.
  var kind: ObjectKind
  /// The object that the event is about.
  var object: KubeObject
  /// `Normal` or `Warning`
  var type = "Normal"
  /// The machine-readable reason, such as `ScalingReplicaSet`.
  var reason: String
  /// The words for a person.
  var message: String

  /// The Event that reports this for the first time.
  func record(by component: String, at now: Date) -> KubeObject {
    var involved: JSONValue = [
      "apiVersion": .string(kind.apiVersion), "kind": .string(kind.kind), "name": .string(object.name),
    ]
    involved["namespace"] = object.namespace.map(JSONValue.string)
    involved["uid"] = object.uid.map(JSONValue.string)
    involved["resourceVersion"] = object.resourceVersion.map(JSONValue.string)
    let time = JSONValue.string(now.apiTime)
    let stamp = String(UInt64(max(0, now.timeIntervalSince1970) * 1_000_000_000), radix: 16)
    return KubeObject([
      "apiVersion": "v1", "kind": "Event",
      "metadata": [
        "name": .string("\(object.name).\(stamp)"), "namespace": .string(object.namespace ?? "default"),
      ],
      "involvedObject": involved, "reason": .string(reason), "message": .string(message), "type": .string(type),
      "source": ["component": .string(component)], "reportingComponent": .string(component), "reportingInstance": "",
      "count": 1, "firstTimestamp": time, "lastTimestamp": time, "eventTime": .null,
    ])
  }

  /// Whether an Event reports the same.
  func isReported(by event: KubeObject) -> Bool {
    event.json["involvedObject"]?["uid"]?.string == object.uid && event.json["reason"]?.string == reason
      && event.json["message"]?.string == message
  }
}

/// Performs what controllers decide.
struct ControllerWriter: Sendable {
  /// The field manager of everything that controllers write.
  static let manager = "kube-controller-manager"

  /// Where the objects are.
  let store: ObjectStore
  /// The controller that events name, such as `deployment-controller`.
  let component: String

  /// Performs actions, one after another. An object may be written more than once.
  ///
  /// - Throws: what refuses an action; those after it are not performed. What is gone counts as deleted.
  func perform(_ actions: [ControllerAction], at now: Date = .now) throws(APIFailure) {
    var versions: [String: String] = [:]
    for action in actions {
      switch action {
      case .create(let kind, let object):
        try store.create(object, of: kind, by: Self.manager)
      case .update(let kind, let object, let part):
        var object = object
        if let version = object.uid.flatMap({ versions[$0] }) { object.metadata["resourceVersion"] = .string(version) }
        let written = try update(kind, object, part)
        if let uid = written.uid { versions[uid] = written.resourceVersion }
      case .delete(let kind, let object, let propagation):
        try delete(kind, object, propagation: propagation)
      case .event(let event):
        try report(event, at: now)
      }
    }
  }

  /// Makes a part of an object what it is here.
  @discardableResult
  func update(
    _ kind: ObjectKind, _ object: KubeObject, _ part: ObjectStore.Part = .main
  ) throws(APIFailure) -> KubeObject {
    try store.update(kind, in: object.namespace, named: object.name, part: part, by: Self.manager) { present in
      present = object
      // The owners of fields are the store's to keep: what was read is older than the object after its first write.
      present.metadata["managedFields"] = nil
    }
  }

  /// Deletes an object, unless it is gone already.
  func delete(_ kind: ObjectKind, _ object: KubeObject, propagation: String? = nil) throws(APIFailure) {
    do {
      try store.delete(
        kind, in: object.namespace, named: object.name,
        ObjectStore.Deletion(propagationPolicy: propagation, uid: object.uid))
    } catch {
      // A conflict: another object has this name now.
      guard error.status.code == 404 || error.status.code == 409 else { throw error }
    }
  }

  /// Reports an event: one that was reported before is counted.
  func report(_ event: ControllerEvent, at now: Date = .now) throws(APIFailure) {
    let known = store.list(.event, in: event.object.namespace).objects.first { event.isReported(by: $0) }
    do {
      guard let known else {
        try store.create(event.record(by: component, at: now), of: .event, by: Self.manager)
        return
      }
      try store.update(.event, in: known.namespace, named: known.name, by: Self.manager) { present in
        present.json["count"] = .int(Int64((present.json["count"]?.int ?? 1) + 1))
        present.json["lastTimestamp"] = .string(now.apiTime)
      }
    } catch  where [403, 404, 409].contains(error.status.code) {
      // The namespace is ending, or the event was deleted meanwhile: events are reported as well as can be.
    }
  }
}
