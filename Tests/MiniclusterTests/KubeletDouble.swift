import DevrunCore
import DevrunKube
import DevrunSystem
import Foundation
import Glibc
import NIOCore
import Synchronization
import TestSupport

@testable import Minicluster

/// A node without namespaces and processes: what containers do is in the words of their commands.
///
/// - `run` runs until SIGTERM, `stubborn` until SIGKILL.
/// - `exit CODE TEXT` writes a text and ends.
/// - `missing` cannot be started.
/// - Beside a container: `ok` and `fail TEXT` end at once, `hang` at SIGKILL, `gate` succeeds once the gate is open.
final class KubeletDouble: Sendable {
  private struct State {
    var launches: [Sandbox.Launch] = []
    var executed: [[String]] = []
    var signals: [Int32] = []
    var removed = 0
    var next: Int32 = 100
  }

  private let state = Mutex(State())
  let gate = Latch<Bool>()

  /// What containers were started with.
  var launches: [Sandbox.Launch] { state.withLock(\.launches) }
  /// The commands that were run beside containers.
  var executed: [[String]] { state.withLock(\.executed) }
  /// The signals that containers were sent.
  var signals: [Int32] { state.withLock(\.signals) }
  /// How many sandboxes were removed.
  var removed: Int { state.withLock(\.removed) }

  fileprivate func remove() { state.withLock { $0.removed += 1 } }
  fileprivate func signalled(_ signal: Int32) { state.withLock { $0.signals.append(signal) } }

  fileprivate func start(_ launch: Sandbox.Launch, isAddition: Bool) throws -> Process {
    let number = state.withLock { state in
      if isAddition { state.executed.append(launch.command) } else { state.launches.append(launch) }
      state.next += 1
      return state.next
    }
    if launch.command.first == "missing" {
      throw TestFailure("exec: \"missing\": executable file not found in $PATH")
    }
    return Process(number, launch.command, isAddition ? nil : self)
  }

  /// A pod's namespaces.
  struct Pod: PodSandbox {
    let node: KubeletDouble
    let process: Int32 = 99
    let address = "10.97.0.2"

    func launch(
      _ launch: Sandbox.Launch, output: @escaping @Sendable (ByteBuffer) -> Void
    ) async throws -> any PodProcess {
      let process = try node.start(launch, isAddition: false)
      if launch.command.first == "exit", launch.command.count > 2 { output(ByteBuffer(string: launch.command[2])) }
      if let message = launch.environment["MESSAGE"],
        let file = launch.mounts.first(where: { $0.target == "/dev/termination-log" })
      {
        try message.write(toFile: file.source, atomically: false, encoding: .utf8)
      }
      return process
    }

    func execute(
      _ launch: Sandbox.Launch, beside process: any PodProcess, output: @escaping @Sendable (ByteBuffer) -> Void
    ) async throws -> any PodProcess {
      let process = try node.start(launch, isAddition: true)
      let word = launch.command.first
      if word == "fail" { output(ByteBuffer(string: launch.command.dropFirst().first ?? "")) }
      if word == "gate" { process.latch.set(.exited(node.gate.value == nil ? 1 : 0)) }
      return process
    }

    func connect(to port: Int, on loop: any EventLoop) async throws -> any Channel {
      throw TestFailure("a double has no connections")
    }

    func remove() async { node.remove() }
  }

  /// A process.
  final class Process: PodProcess {
    let process: Int32
    let latch = Latch<ContainerProcess.End>()
    private let isStubborn: Bool
    private let node: KubeletDouble?

    fileprivate init(_ number: Int32, _ command: [String], _ node: KubeletDouble?) {
      process = number
      self.node = node
      isStubborn = command.first == "stubborn"
      switch command.first {
      case "exit": latch.set(.exited(Int32(command.dropFirst().first ?? "") ?? 0))
      case "ok": latch.set(.exited(0))
      case "fail": latch.set(.exited(1))
      default: break
      }
    }

    func end() async -> ContainerProcess.End { await latch.uncancelledValue() }

    func signal(_ signal: Int32) {
      node?.signalled(signal)
      if signal == SIGKILL || !isStubborn { latch.set(.killed(signal: signal)) }
    }
  }
}

/// A kubelet on a double, with a store and the namespace `team`.
struct KubeletTrial: Sendable {
  let store = ObjectStore()
  let node = KubeletDouble()
  let kubelet: Kubelet
  let folder: TemporaryFolder

  /// Runs a body beside a kubelet.
  static func with(_ body: (KubeletTrial) async throws -> Void) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let trial = try KubeletTrial(folder: folder)
    let running = Task { try await trial.kubelet.run() }
    do {
      try await body(trial)
    } catch {
      running.cancel()
      _ = await running.result
      throw error
    }
    running.cancel()
    try await running.value
  }

  private init(folder: TemporaryFolder) throws {
    self.folder = folder
    let node = node
    kubelet = Kubelet(
      store: store, nodeAddress: "10.97.0.1", folder: folder.path, resolver: "10.98.0.10",
      tokens: { "token of \($0.namespace)/\($0.serviceAccount)" }, makeSandbox: { _ in KubeletDouble.Pod(node: node) })
    try store.create(["metadata": ["name": "team"]], of: .namespace, by: "test")
  }

  /// Makes a pod with one container `main`.
  @discardableResult
  func create(
    _ name: String = "p", command: [String], container: JSONValue = [:], spec: JSONValue = [:]
  ) throws -> KubeObject {
    var container = container
    container["name"] = "main"
    container["image"] = "busybox:1"
    container["command"] = .array(command.map(JSONValue.string))
    var pod: KubeObject = ["metadata": ["name": .string(name), "namespace": "team"], "spec": spec]
    pod.spec["containers"] = [container]
    return try store.create(pod, of: .pod, by: "test")
  }

  /// Waits until a pod is as wanted.
  @discardableResult
  func wait(_ name: String = "p", until isWanted: @Sendable (KubeObject) -> Bool) async throws -> KubeObject {
    for await change in try store.watch(.pod, in: "team") {
      switch change {
      case .added(let pod), .modified(let pod): if pod.name == name, isWanted(pod) { return pod }
      case .deleted, .bookmark: break
      }
    }
    throw TestFailure("the watch has ended")
  }

  /// Waits until a pod is gone.
  func waitUntilGone(_ name: String = "p") async throws {
    let changes = try store.watch(.pod, in: "team", since: nil)
    if store.object(.pod, in: "team", named: name) == nil { return }
    for await change in changes {
      if case .deleted(let pod) = change, pod.name == name { return }
    }
    throw TestFailure("the watch has ended")
  }

  /// The events' reasons and messages, in order.
  var events: [String] {
    store.list(.event, in: "team").objects
      .sorted { $0.name < $1.name }
      .map { "\($0.json["reason"]?.string ?? "") \($0.json["message"]?.string ?? "")" }
  }

  /// Waits for an event that begins with a text.
  func waitForEvent(_ beginning: String) async throws {
    for await change in try store.watch(.event, in: "team") {
      switch change {
      case .added(let event), .modified(let event):
        let text = "\(event.json["reason"]?.string ?? "") \(event.json["message"]?.string ?? "")"
        if text.hasPrefix(beginning) { return }
      case .deleted, .bookmark: break
      }
    }
  }

  /// The log of the container of a pod.
  func log(_ name: String = "p", _ options: LogOptions = LogOptions()) async throws -> String {
    var text = ""
    for await part in try kubelet.log(of: PodName(namespace: "team", name: name), options) {
      text += String(buffer: part)
    }
    return text
  }
}

extension KubeObject {
  /// The state of the container `main`: its word and its reason.
  var mainState: String {
    let state = containerStatus(named: "main")?["state"]?.object?.first
    return [state?.key, state?.value["reason"]?.string].compactMap { $0 }.joined(separator: " ")
  }
}
