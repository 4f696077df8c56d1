// The node's agent: it binds pods to the node, which is the only one, runs each by a worker of its own, and gives the API
// access to them.
//
// It waits for nothing but events: changes of pods, and of the ConfigMaps and Secrets that pods refer to. It differs from
// a real kubelet in these: the machine's files are every container's image; `securityContext` is not honoured, since the
// node's user namespace has one user; `hostNetwork` pods have a network of their own; resources are not limited.

internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import Glibc
package import NIOCore
internal import Synchronization

/// Runs the pods of the cluster.
package final class Kubelet: NodeAccess {
  private let context: KubeletContext
  /// The workers by their pods' uids.
  private let workers = Mutex<[String: PodWorker]>([:])

  /// A kubelet that runs nothing yet.
  ///
  /// - Parameters:
  ///   - store: the cluster's objects.
  ///   - network: the node's network.
  ///   - folder: an existing folder for volumes and logs.
  ///   - resolver: the address of the cluster's resolver.
  ///   - tokens: makes tokens of service accounts.
  package convenience init(
    store: ObjectStore, network: PodNetwork, folder: String, resolver: String = "10.98.0.10",
    tokens: @escaping @Sendable (TokenRequest) -> String
  ) {
    self.init(
      store: store, nodeAddress: network.nodeAddress, folder: folder, resolver: resolver, tokens: tokens
    ) { hostName in
      try await Sandbox(hostName: hostName, network: network)
    }
  }

  /// A kubelet that makes sandboxes of any kind.
  init(
    store: ObjectStore, nodeAddress: String, folder: String, resolver: String,
    tokens: @escaping @Sendable (TokenRequest) -> String,
    makeSandbox: @escaping @Sendable (_ hostName: String) async throws -> any PodSandbox
  ) {
    // A machine without the file has no resolver of its own.
    let file = try? Descriptor.open("/etc/resolv.conf", O_RDONLY).readToEnd(limit: 1 << 16)
    context = KubeletContext(
      store: store, folder: folder, node: NodeDescription(address: nodeAddress), resolver: resolver,
      machineResolverFile: String(decoding: file ?? [], as: UTF8.self), tokens: tokens, makeSandbox: makeSandbox,
      events: KubeletEvents(store: store))
  }

  /// Runs pods until the task is cancelled. Then all their processes are ended, without grace.
  ///
  /// - Throws: if the node cannot be registered, or changes of pods are forgotten before they were read.
  package func run() async throws(APIFailure) {
    try registerNode()
    let pods = try context.store.watch(.pod, in: nil)
    let references = [
      try context.store.watch(.configMap, in: nil), try context.store.watch(.secret, in: nil),
      try context.store.watch(.service, in: nil),
    ]
    await withDiscardingTaskGroup { group in
      for changes in references { group.addTask { await self.follow(changes) } }
      for await change in pods {
        switch change {
        case .added(let pod), .modified(let pod):
          guard let worker = handle(pod) else { continue }
          group.addTask {
            await worker.run()
            self.workers.withLock { _ = $0.removeValue(forKey: worker.uid) }
          }
        case .deleted(let pod): workers.withLock { $0[pod.uid ?? ""] }?.force()
        case .bookmark: break
        }
      }
      for worker in workers.withLock({ Array($0.values) }) { worker.force() }
    }
  }

  /// Passes changes of what pods may refer to on to the pods of the namespace.
  private func follow(_ changes: AsyncStream<ObjectStore.Change>) async {
    for await change in changes {
      switch change {
      case .added(let object), .modified(let object), .deleted(let object):
        let workers = workers.withLock { $0.values.filter { $0.name.namespace == object.namespace } }
        for worker in workers { worker.changes.send() }
      case .bookmark: break
      }
    }
  }

  private func registerNode() throws(APIFailure) {
    let node = context.node.object(now: .now)
    try context.store.create(node, of: .node, by: "kubelet")
    try context.store.update(.node, in: nil, named: node.name, part: .status, by: "kubelet") { object in
      object.json["status"] = node.status
    }
  }

  // MARK: - Pods

  /// Takes over a pod's state.
  ///
  /// - Returns: a new worker, if the pod is to be run from now on.
  private func handle(_ pod: KubeObject) -> PodWorker? {
    guard let uid = pod.uid else { return nil }
    if let worker = workers.withLock({ $0[uid] }) {
      worker.update(pod)
      return nil
    }
    guard !pod.isTerminating else {
      // It has never run here. A failure means that it is gone by now.
      _ = try? context.store.delete(
        .pod, in: pod.namespace, named: pod.name, ObjectStore.Deletion(gracePeriodSeconds: 0, uid: uid))
      return nil
    }
    let phase = pod.status["phase"]?.string
    guard phase != "Succeeded", phase != "Failed", let pod = bound(pod) else { return nil }
    let worker = PodWorker(of: pod, in: context)
    workers.withLock { $0[uid] = worker }
    return worker
  }

  /// The pod as it is bound to this node. `nil` if it is another node's, or cannot run here.
  private func bound(_ pod: KubeObject) -> KubeObject? {
    if let node = pod.spec["nodeName"]?.string, !node.isEmpty { return node == NodeDescription.name ? pod : nil }
    let store = context.store
    let refusal = context.node.refusal(of: pod) { store.object(.persistentVolumeClaim, in: pod.namespace, named: $0) }
    if let refusal {
      refuse(pod, refusal)
      return nil
    }
    // Refused only if the pod is gone, or is another one by now; then another change is on its way.
    let bound = try? store.update(.pod, in: pod.namespace, named: pod.name, by: "default-scheduler") { object in
      guard object.uid == pod.uid else { return }
      object.spec["nodeName"] = .string(NodeDescription.name)
    }
    guard let bound, bound.uid == pod.uid else { return nil }
    context.events.report(
      .normal, "Scheduled", "Successfully assigned \(pod.namespace ?? "")/\(pod.name) to \(NodeDescription.name)",
      on: pod, by: "default-scheduler")
    return bound
  }

  private func refuse(_ pod: KubeObject, _ message: String) {
    guard pod.message(ofCondition: "PodScheduled", being: "False") != message else { return }
    context.events.report(.warning, "FailedScheduling", message, on: pod, by: "default-scheduler")
    let condition = Condition(type: "PodScheduled", isTrue: false, reason: "Unschedulable", message: message)
    // A pod that is gone has no status.
    _ = try? context.store.update(.pod, in: pod.namespace, named: pod.name, part: .status, by: "default-scheduler") {
      object in
      guard object.uid == pod.uid else { return }
      let before = object.status["conditions"]?.array ?? []
      var status = object.status
      status["phase"] = "Pending"
      status["qosClass"] = .string(pod.qosClass)
      status["conditions"] = .array(
        before.filter { $0["type"]?.string != condition.type } + [condition.json(after: before, now: .now)])
      object.json["status"] = status
    }
  }

  // MARK: - Access

  private func worker(of pod: PodName) -> PodWorker? {
    workers.withLock { workers in
      // A pod that is on its way out may have a successor of its name.
      let all = workers.values.filter { $0.name == pod }
      return all.first { !$0.isStopping } ?? all.first
    }
  }

  package func log(of pod: PodName, _ options: LogOptions) throws(APIFailure) -> AsyncStream<ByteBuffer> {
    guard let worker = worker(of: pod) else {
      throw APIFailure(
        APIStatus(code: 400, reason: "BadRequest", message: "pod \"\(pod.name)\" does not run on a node"))
    }
    return try worker.log(options)
  }

  package func connect(to port: Int, of pod: PodName, on loop: any EventLoop) async throws -> any Channel {
    guard let sandbox = worker(of: pod)?.state.withLock({ $0.sandbox }) else {
      throw PodNotRunning(pod: pod)
    }
    return try await sandbox.connect(to: port, on: loop)
  }
}

/// A connection was asked for to a pod that does not run.
package struct PodNotRunning: Error, Sendable, CustomStringConvertible {
  /// The pod.
  package var pod: PodName
  /// What is printed.
  package var description: String { "pod \(pod.name) does not run" }
}
