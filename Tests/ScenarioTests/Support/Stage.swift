import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import Foundation
import NIOPosix
import TestSupport
import Testing

/// Where one scenario plays: a namespace of its own with an app in it, and folders of its own on this machine.
struct Stage: Sendable {
  /// The namespace. Its name does not contain devrun's, which is searched for in what a session leaves.
  let namespace: String
  /// Whether the namespace is the scenario's own, which makes and removes it.
  let isOwn: Bool
  /// Reads the cluster.
  let client: KubeClient
  /// How the cluster is reached.
  let access: ClusterAccess
  /// The value of the variable SCENARIO, by which a session's processes are found.
  let mark = UUID().uuidString
  /// Holds all that a session writes on this machine.
  let folder: TemporaryFolder
  /// A local port that nothing listens on, for the app on this machine.
  let port: Int
  /// What a program in the cluster gets from the app.
  let answers: Answers

  /// Plays a scenario: makes the stage, and removes it at the end.
  ///
  /// - Parameter changes: whether the scenario itself changes objects of the cluster, so that they are not the same
  ///   afterwards. Whatever it changes, nothing of devrun may be left.
  static func play(
    changing changes: Bool = false, sourceLocation: SourceLocation = #_sourceLocation,
    _ scenario: (Stage) async throws -> Void
  ) async throws {
    try await Turns.shared.take { given in
      let access = try Kubeconfig.access(
        from: Kubeconfig.Locations(
          environment: ProcessInfo.processInfo.environment, home: NSHomeDirectory(),
          workingDirectory: FileManager.default.currentDirectoryPath))
      let client = try KubeClient(
        access: access, environment: .current, group: MultiThreadedEventLoopGroup.singleton)
      do {
        let suffix = String((0..<6).compactMap { _ in "bcdfghjklmnpqrstvwxz".randomElement() })
        let stage = Stage(
          namespace: given ?? "scenario-\(suffix)", isOwn: given == nil, client: client, access: access,
          folder: try TemporaryFolder(),
          port: try freePort(), answers: Answers())
        try await stage.perform(changing: changes, sourceLocation, scenario)
        stage.folder.remove()
      } catch {
        try await client.shutdown()
        throw error
      }
      try await client.shutdown()
    }
  }

  private func perform(
    changing changes: Bool, _ sourceLocation: SourceLocation, _ scenario: (Stage) async throws -> Void
  ) async throws {
    do {
      for name in ["tmp", "home", "run", "work"] { try folder.makeFolder(name, mode: 0o700) }
      try await raise()
      let before = try await snapshot()
      try await answers.following(self) {
        // The log begins with the time before the app was ready.
        try await answers.wait(for: Self.clusterAnswer)
        try await scenario(self)
      }
      await expectNoTrace(since: changes ? nil : before, sourceLocation)
    } catch {
      Issue.record(error, sourceLocation: sourceLocation)
    }
    endProcesses()
    try await strike()
  }
}

/// Lets only some scenarios play at a time. Each one has processes that compete for this machine's cores.
actor Turns {
  static let shared = Turns()

  /// The namespaces that nobody is in; `nil` stands for one that the scenario makes.
  private var free: [String?]
  private var queue: [CheckedContinuation<String?, Never>] = []

  private init() {
    free = Settings.namespaces.isEmpty ? Array(repeating: nil, count: Settings.atOnce) : Settings.namespaces
  }

  /// Does something in a turn of its own.
  nonisolated func take(_ body: (String?) async throws -> Void) async rethrows {
    let namespace = await begin()
    do {
      try await body(namespace)
    } catch {
      await end(namespace)
      throw error
    }
    await end(namespace)
  }

  private func begin() async -> String? {
    if let namespace = free.popLast() { return namespace }
    return await withCheckedContinuation { queue.append($0) }
  }

  private func end(_ namespace: String?) {
    if queue.isEmpty { free.append(namespace) } else { queue.removeFirst().resume(returning: namespace) }
  }
}
