// One pod on the node, from the moment that it is bound to the node until it is gone:
//
//     volumes -> sandbox -> init containers, one after the other -> containers, all at once -> end
//
// Each container's loop (PodWorker+Container) starts its process again and again, as the pod's restart policy says. What
// changes is written into `state`, and the pod's status is published from it: PodStatus has the rules. A deletion sets
// `stopping`, on which every wait ends.

internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import Glibc
internal import Synchronization

/// Runs one pod.
final class PodWorker: Sendable {
  /// What is true of the pod now.
  struct State {
    /// The pod, as the API has it.
    var pod: KubeObject
    /// What its status is made of.
    var status: PodStatus
    /// Its namespaces, while it has them.
    var sandbox: (any PodSandbox)?
    /// The containers that run.
    var runs: [String: ContainerRun] = [:]
    /// The logs of each container's last two runs, the older one first.
    var logs: [String: [PodLog]] = [:]
  }

  /// The pod's name.
  let name: PodName
  /// The pod's uid.
  let uid: String
  let context: KubeletContext
  let state: Mutex<State>
  let volumes: PodVolumes
  /// Is set with the grace in seconds as soon as the pod is to end.
  let stopping = Latch<Int>()
  /// Is set if the pod is to end without any grace.
  let forced = Latch<Bool>()
  /// Changes of the pod, and of objects that it refers to.
  let changes = Pulse()
  private let tokens: PodTokens

  /// A pod that nothing has been done for yet.
  init(of pod: KubeObject, in context: KubeletContext) {
    name = PodName(namespace: pod.namespace ?? "", name: pod.name)
    uid = pod.uid ?? ""
    self.context = context
    volumes = PodVolumes(folder: "\(context.folder)/pods/\(uid)/volumes")
    tokens = PodTokens(
      namespace: pod.namespace ?? "", serviceAccount: pod.spec["serviceAccountName"]?.string ?? "default",
      issue: context.tokens)
    let initContainers = (pod.spec["initContainers"]?.array ?? []).map(Container.init)
    let reason = initContainers.isEmpty ? "ContainerCreating" : "PodInitializing"
    var status = PodStatus(
      restartPolicy: pod.spec["restartPolicy"]?.string.flatMap(PodStatus.RestartPolicy.init) ?? .always,
      startTime: .now, hostIP: context.node.address, qosClass: pod.qosClass)
    status.initContainers = initContainers.map {
      ContainerRecord(name: $0.name, image: $0.image ?? "", isInit: true, waiting: "PodInitializing")
    }
    status.containers = pod.containers.map {
      ContainerRecord(name: $0.name, image: $0.image ?? "", waiting: reason)
    }
    status.readinessGates = (pod.spec["readinessGates"]?.array ?? []).compactMap { $0["conditionType"]?.string }
    state = Mutex(State(pod: pod, status: status))
  }

  /// The pod's folder on the node.
  var folder: String { "\(context.folder)/pods/\(uid)" }
  /// The pod, as the API has it.
  var pod: KubeObject { state.withLock(\.pod) }
  /// Whether the pod is to end.
  var isStopping: Bool { stopping.value != nil || Task.isCancelled }

  /// Runs the pod. Returns once it is gone, or the task is cancelled.
  func run() async {
    publish()
    await withTaskGroup(of: Void.self) { group in
      guard await prepare() else { return }
      group.addTask { await self.keepVolumes() }
      await runContainers()
      group.cancelAll()
    }
    let sandbox = state.withLock { state in
      defer { state.sandbox = nil }
      return state.sandbox
    }
    await sandbox?.remove()
    publish()
    // What has run to its end stays until it is deleted.
    if await stopping.wait() != nil { removeObject() }
    removeFiles()
    context.events.forget(podWithUID: uid)
  }

  // MARK: - From outside

  /// Takes over a change of the pod's object.
  func update(_ pod: KubeObject) {
    let isNews = state.withLock { state in
      defer { state.pod = pod }
      // Only these are shown in the pod itself; its status is the worker's own work.
      return pod.labels != state.pod.labels || pod.annotations != state.pod.annotations
    }
    if pod.isTerminating { stop(grace: pod.metadata["deletionGracePeriodSeconds"]?.int ?? 30) }
    if isNews { changes.send() }
  }

  /// Ends the pod's processes, with some time to end by themselves.
  func stop(grace: Int) {
    stopping.set(grace)
    let runs = state.withLock { $0.runs }
    for (name, run) in runs { run.kill.set(ContainerRun.Kill(grace: grace, message: "Stopping container \(name)")) }
    changes.send()
  }

  /// Ends the pod's processes at once.
  func force() {
    stop(grace: 0)
    forced.set(true)
    let runs = state.withLock { $0.runs }
    for run in runs.values { run.process.signal(SIGKILL) }
  }

  // MARK: - Status

  /// Changes what is true of a container, and publishes that.
  func change(_ container: String, _ body: (inout ContainerRecord) -> Void) {
    state.withLock { state in
      if let index = state.status.initContainers.firstIndex(where: { $0.name == container }) {
        body(&state.status.initContainers[index])
      } else if let index = state.status.containers.firstIndex(where: { $0.name == container }) {
        body(&state.status.containers[index])
      }
    }
    publish()
  }

  /// What is true of a container.
  func record(of container: String) -> ContainerRecord? {
    state.withLock { state in
      (state.status.initContainers + state.status.containers).first { $0.name == container }
    }
  }

  /// Writes the pod's status into the pod. A pod that is gone has none.
  func publish() {
    _ = try? context.store.update(.pod, in: name.namespace, named: name.name, part: .status, by: "kubelet") { object in
      guard object.uid == uid else { return }
      let status = state.withLock(\.status)
      object.json["status"] = status.json(after: object.status, now: .now)
    }
  }

  /// Reports an event on the pod or one of its containers.
  func report(
    _ kind: KubeletEvents.Kind, _ reason: String, _ message: String, on container: String? = nil
  ) {
    let pod = pod
    let path = container.map { name in
      let isContainer = pod.container(named: name) != nil
      return "spec.\(isContainer ? "containers" : "initContainers"){\(name)}"
    }
    context.events.report(kind, reason, message, on: pod, container: path)
  }

  // MARK: - Steps

  /// Makes the volumes and the namespaces. Returns whether the pod has them.
  private func prepare() async -> Bool {
    do throws(Errno) {
      for folder in ["\(context.folder)/pods", folder, "\(folder)/volumes", "\(folder)/containers"] {
        try KubeletFolder.make(folder)
      }
    } catch {
      report(.warning, "FailedCreatePodSandBox", "Failed to create pod sandbox: \(folder): \(error)")
      return false
    }
    while !isStopping {
      let seen = changes.count
      if updateVolumes() { break }
      await change(after: seen)
    }
    while !isStopping {
      do {
        let sandbox = try await context.makeSandbox(PodFiles.hostName(of: pod))
        state.withLock { state in
          state.sandbox = sandbox
          state.status.podIP = sandbox.address
        }
        return true
      } catch {
        report(.warning, "FailedCreatePodSandBox", "Failed to create pod sandbox: \(error)")
        let seen = changes.count
        await change(after: seen)
      }
    }
    return false
  }

  /// Waits for a change of the pod or of what it refers to, or for kubelet's own period, after which it tries again in
  /// any case.
  func change(after seen: Int) async {
    _ = try? await withTimeout(.seconds(10)) { [changes] in await changes.next(after: seen) }
  }

  /// Runs the init containers, then the containers, until none of them is to run any more.
  private func runContainers() async {
    let pod = pod
    for container in (pod.spec["initContainers"]?.array ?? []).map(Container.init) {
      guard await run(container, isInit: true) else { return }
    }
    await withTaskGroup(of: Void.self) { group in
      for container in pod.containers { group.addTask { _ = await self.run(container, isInit: false) } }
    }
  }

  /// Brings volumes up to date, whenever what they show changes, until the task is cancelled.
  private func keepVolumes() async {
    var seen = changes.count
    while !isStopping {
      if let renewal = tokens.nextRenewal {
        let wait = max(renewal - .now, .zero)
        _ = try? await withTimeout(wait) { [changes, seen] in await changes.next(after: seen) }
      } else {
        await changes.next(after: seen)
      }
      seen = changes.count
      if !isStopping { _ = updateVolumes() }
    }
  }

  /// Makes the volumes or brings them up to date. Returns whether that succeeded.
  private func updateVolumes() -> Bool {
    let contents = VolumeContents(
      fields: fields, configMap: configMap, secret: secret, token: tokens.token)
    let failures = volumes.update(of: pod, with: contents)
    for (volume, error) in failures {
      report(.warning, "FailedMount", "MountVolume.SetUp failed for volume \"\(volume)\" : \(error.message)")
    }
    return failures.isEmpty
  }

  /// The pod's fields, for variables and files.
  var fields: PodFields {
    state.withLock { state in
      PodFields(
        pod: state.pod, podIP: state.status.podIP ?? "", hostIP: context.node.address, capacity: context.node.capacity)
    }
  }

  /// Reads a ConfigMap of the pod's namespace.
  func configMap(_ name: String) -> KubeObject? {
    context.store.object(.configMap, in: self.name.namespace, named: name)
  }

  /// Reads a Secret of the pod's namespace.
  func secret(_ name: String) -> KubeObject? {
    context.store.object(.secret, in: self.name.namespace, named: name)
  }

  private func removeObject() {
    // Refused only if the object is gone already, or is another one by now.
    _ = try? context.store.delete(
      .pod, in: name.namespace, named: name.name, ObjectStore.Deletion(gracePeriodSeconds: 0, uid: uid))
  }

  private func removeFiles() {
    do throws(Errno) {
      try Directory.removeTree(RawString(folder))
    } catch {
      report(.warning, "FailedRemoval", "The pod's folder \(folder) could not be removed: \(error)")
    }
  }
}

/// One run of a container.
final class ContainerRun: Sendable {
  /// How a run is to be ended.
  struct Kill: Sendable, Hashable {
    /// The time that it has to end by itself, in seconds.
    var grace: Int
    /// The event's message.
    var message: String
  }

  /// The container's process.
  let process: any PodProcess
  /// Is set as soon as the run is to be ended.
  let kill = Latch<Kill>()
  /// Is set as soon as the startup probe, if there is one, has been answered.
  let started = Latch<Bool>()

  /// A run of a process.
  init(_ process: any PodProcess) { self.process = process }
}
