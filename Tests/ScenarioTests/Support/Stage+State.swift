import CLinux
import DevrunCore
import DevrunKube
import Glibc
import DevrunSystem
import Foundation
import TestSupport
import Testing

/// The state of the stage: how it is awaited, and what a session has left of itself.
extension Stage {
  /// The collections that a session could leave something in.
  private var collections: [ResourcePath] {
    [
      .deployments(in: namespace), .replicaSets(in: namespace), .pods(in: namespace), .services(in: namespace),
      .endpoints(in: namespace), .configMaps(in: namespace),
      ResourcePath(version: "v1", resource: "secrets", namespace: namespace),
    ]
  }

  /// Waits until something is so in the namespace. It is looked at whenever an object there changes.
  ///
  /// - Parameter obstacle: returns what is missing still; `nil` if nothing is.
  func until(
    within limit: Duration = .seconds(120), fileID: String = #fileID, line: Int = #line,
    _ obstacle: @escaping @Sendable () async throws -> String?
  ) async throws {
    let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let missing = LastWord()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for collection in collections {
        group.addTask {
          for try await _ in client.watch(collection) { change.yield() }
          return false
        }
      }
      group.addTask {
        for await _ in changes {
          guard let reason = try await obstacle() else { return true }
          missing.set(reason)
        }
        return false
      }
      group.addTask {
        try await Task.sleep(for: limit)
        throw TestFailure("not within \(limit) (\(fileID):\(line)): \(missing.value)")
      }
      defer { group.cancelAll() }
      while let isDone = try await group.next(), !isDone {}
    }
  }

  /// Waits until each Deployment has exactly the pods that it should have, and all of them are ready.
  func settled() async throws {
    try await until { [client, namespace] in
      var wanted = 0
      for deployment in try await client.list(.deployments(in: namespace)).items {
        let (spec, status) = (deployment.spec, deployment.status)
        let replicas = spec["replicas"]?.int ?? 1
        wanted += replicas
        guard status["observedGeneration"]?.int == deployment.generation,
          ["replicas", "updatedReplicas", "availableReplicas"].allSatisfy({ (status[$0]?.int ?? 0) == replicas })
        else {
          return "deployment/\(deployment.name) is not available: \(String(decoding: status.text, as: UTF8.self))"
        }
      }
      let pods = try await client.list(.pods(in: namespace)).items
      return pods.count == wanted ? nil : "there are the pods \(pods.map(\.name)), but \(wanted) should be"
    }
  }

  /// All objects of the namespace, without what differs from pod to pod.
  func snapshot() async throws -> NamespaceSnapshot {
    NamespaceSnapshot(objects: try await objects().map(\.json))
  }

  /// The version of each Deployment, ReplicaSet, pod, service and ConfigMap.
  func versions() async throws -> [String: String] {
    let objects = try await objects().filter { $0.kind != "Endpoints" && $0.kind != "Secret" }
    return Dictionary(objects.map { ("\($0.kind)/\($0.name)", $0.resourceVersion ?? "") }, uniquingKeysWith: { $1 })
  }

  private func objects() async throws -> [KubeObject] {
    var objects: [KubeObject] = []
    for collection in collections { objects += try await client.list(collection).items }
    return objects
  }

  /// Checks that nothing of devrun is left in the namespace and on this machine.
  ///
  /// - Parameter before: what the namespace must be like again; `nil` if the scenario has changed it.
  func expectNoTrace(since before: NamespaceSnapshot?, _ sourceLocation: SourceLocation) async {
    do {
      try await settled()
      try await until(within: .seconds(20)) {
        let named = try await objects().filter { String(describing: $0.json).contains("devrun") }
        if !named.isEmpty { return "named after devrun: \(named.map { "\($0.kind)/\($0.name)" })" }
        guard let before else { return nil }
        let differences = try await snapshot().differences(from: before)
        return differences.isEmpty ? nil : "left in the namespace:\n\(differences.joined(separator: "\n"))"
      }
      for process in try processes() { try await process.end(within: .seconds(20)) }
      let left = try leftFiles() + leftMounts()
      #expect(left == [], "left on this machine", sourceLocation: sourceLocation)
    } catch {
      Issue.record(error, sourceLocation: sourceLocation)
    }
  }

  /// Files in the folders that a session writes to, but for its log, which is meant to stay.
  private func leftFiles() throws -> [String] {
    try ["tmp", "home", "run"].flatMap { name in
      try FileManager.default.subpathsOfDirectory(atPath: folder.path(name)).map { "\(name)/\($0)" }
    }.filter { $0 != "tmp/devrun" && !($0.hasPrefix("tmp/devrun/") && $0.hasSuffix(".log")) }
  }

  /// Mounts of this machine's own view in the stage's folder.
  private func leftMounts() throws -> [String] {
    try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8).split(separator: "\n").map(String.init)
      .filter { $0.contains(folder.path) }
  }

  /// What runs of this scenario's sessions: what has the scenario's mark in its environment, and devrun with this
  /// namespace as an argument.
  func processes() throws -> [StageProcess] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { name in
      guard let id = pid_t(name), id != getpid() else { return nil }
      let environment = Self.strings(of: name, "environ")
      let arguments = Self.strings(of: name, "cmdline")
      let isDevrun = arguments.first == Settings.devrun && arguments.contains(namespace)
      guard isDevrun || environment.contains("SCENARIO=\(mark)") else { return nil }
      return StageProcess(id: id, command: arguments.joined(separator: " "))
    }
  }

  /// The strings in a file of a process; none if the process has ended, or may not be looked at.
  private static func strings(of process: String, _ file: String) -> [String] {
    let data = (try? Data(contentsOf: URL(filePath: "/proc/\(process)/\(file)"))) ?? Data()
    return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Kills what a scenario that failed has left running.
  func endProcesses() {
    for process in (try? processes()) ?? [] { kill(process.id, SIGKILL) }
  }
}

/// A process of a scenario's sessions.
struct StageProcess: Sendable {
  var id: pid_t
  var command: String

  /// Waits for its end.
  ///
  /// - Throws: ``TestFailure`` if it does not end in time.
  func end(within limit: Duration) async throws {
    // A process that has ended, and that nobody has reaped yet, can be polled as well.
    let number = devrun_pidfd_open(id, false)
    guard number >= 0 else { return }
    let descriptor = Descriptor(number)
    let ended = Latch<Bool>()
    let milliseconds = Int32(limit.components.seconds * 1000)
    try NativeThread.start(name: "scenario-end") {
      var request = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
      ended.set(poll(&request, 1, milliseconds) == 1)
    }
    guard await ended.uncancelledValue() else { throw TestFailure("process \(id) still runs: \(command)") }
  }
}
