// The events that kubelet and the scheduler report (`core/v1` Event). The same event once more counts the first one up.

internal import DevrunCore
internal import DevrunKube
internal import Synchronization

/// Reports events on pods.
final class KubeletEvents: Sendable {
  private struct Key: Hashable {
    var uid: String
    var container: String?
    var reason: String
    var message: String
  }

  private let store: ObjectStore
  private let names = Mutex<[Key: String]>([:])

  /// Events in a store.
  init(store: ObjectStore) { self.store = store }

  /// A kind of event.
  enum Kind: String, Sendable {
    case normal = "Normal"
    case warning = "Warning"
  }

  /// Reports an event on a pod.
  ///
  /// - Parameters:
  ///   - container: the path of the container in the pod: `spec.containers{main}`.
  ///   - component: who reports it.
  func report(
    _ kind: Kind, _ reason: String, _ message: String, on pod: KubeObject, container: String? = nil,
    by component: String = "kubelet"
  ) {
    let key = Key(uid: pod.uid ?? "", container: container, reason: reason, message: message)
    let now = WallTime.now
    if let name = names.withLock({ $0[key] }), count(name, in: pod.namespace, at: now) { return }
    let name = "\(pod.name).\(String(now.seconds * 1_000_000_000 + now.nanoseconds, radix: 16))"
    var object: JSONValue = [
      "apiVersion": "v1", "kind": .string(pod.kind.isEmpty ? "Pod" : pod.kind), "name": .string(pod.name),
      "namespace": pod.metadata["namespace"] ?? "",
      "uid": .string(pod.uid ?? ""), "resourceVersion": .string(pod.resourceVersion ?? ""),
    ]
    object["fieldPath"] = container.map(JSONValue.string)
    var source: JSONValue = ["component": .string(component)]
    if component == "kubelet" { source["host"] = .string(NodeDescription.name) }
    let event: KubeObject = [
      "apiVersion": "v1", "kind": "Event", "metadata": ["name": .string(name), "namespace": object["namespace"] ?? ""],
      "involvedObject": object, "type": .string(kind.rawValue), "reason": .string(reason),
      "message": .string(message), "source": source, "count": 1, "firstTimestamp": .string(now.text),
      "lastTimestamp": .string(now.text), "eventTime": .null, "reportingComponent": .string(component),
      "reportingInstance": .string(component == "kubelet" ? NodeDescription.name : ""),
    ]
    // An event that cannot be reported is lost, as on any cluster: its namespace is on its way out.
    guard let made = try? store.create(event, of: .event, by: component) else { return }
    names.withLock { $0[key] = made.name }
  }

  private func count(_ name: String, in namespace: String?, at now: WallTime) -> Bool {
    do throws(APIFailure) {
      try store.update(.event, in: namespace, named: name, by: "kubelet") { (event) throws(APIFailure) in
        event.json["count"] = .int(Int64((event.json["count"]?.int ?? 1) + 1))
        event.json["lastTimestamp"] = .string(now.text)
      }
      return true
    } catch {
      return false
    }
  }

  /// Forgets a pod, whose events stay.
  func forget(podWithUID uid: String) {
    names.withLock { names in names = names.filter { $0.key.uid != uid } }
  }
}
