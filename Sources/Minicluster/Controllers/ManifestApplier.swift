// Applies a manifest: its objects are made one after another, and its Deployments are awaited.

internal import DevrunCore
internal import Synchronization
package import DevrunKube

/// Where a manifest's objects go: the store of this process, or the API of a cluster.
package protocol ManifestTarget: Sendable {
  /// Makes an object, or makes the one that there is what a manifest says of it.
  ///
  /// - Returns: what has become of it, as kubectl says it: `created`, `configured` or `unchanged`.
  func put(_ entry: Manifest.Entry) async throws -> String

  /// Follows a Deployment from now on. `nil` means that there is none.
  ///
  /// - Parameter isDone: gets each of its states; following ends once this returns `true`.
  func follow(
    deployment name: String, in namespace: String, until isDone: @escaping @Sendable (KubeObject?) -> Bool
  ) async throws

  /// The pods of a namespace.
  func pods(in namespace: String) async throws -> [KubeObject]
}

/// Applies manifests and waits until their Deployments are available.
package struct ManifestApplier: Sendable {
  private let target: any ManifestTarget
  private let patience: Duration
  private let report: @Sendable (String) -> Void

  /// An applier.
  ///
  /// - Parameters:
  ///   - target: where the objects go.
  ///   - patience: how long all Deployments together have.
  ///   - report: gets a line for each object and each step of a Deployment.
  package init(
    target: any ManifestTarget, patience: Duration = .seconds(60),
    report: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.target = target
    self.patience = patience
    self.report = report
  }

  /// Makes a manifest's objects in their order and waits until its Deployments are available.
  ///
  /// - Throws: `ManifestError` if they are not in time, with the reason of the first pod that does not run; what refuses an
  ///   object.
  package func apply(_ manifest: Manifest) async throws {
    for entry in manifest.entries { report("\(entry.words) \(try await target.put(entry))") }
    let deployments = manifest.entries.filter { $0.kind == .deployment }
    let waiting = Pending(deployments)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await withThrowingTaskGroup { waits in
          for deployment in deployments {
            waits.addTask {
              try await wait(for: deployment)
              await waiting.remove(deployment)
            }
          }
          try await waits.waitForAll()
        }
        return true
      }
      group.addTask {
        try await Task.sleep(for: patience)
        return false
      }
      let isInTime = try await group.next() ?? false
      group.cancelAll()
      if !isInTime, let late = await waiting.first { throw try await failure(of: late) }
    }
  }

  /// The Deployments that are not available yet.
  private actor Pending {
    private var entries: [Manifest.Entry]
    init(_ entries: [Manifest.Entry]) { self.entries = entries }
    func remove(_ entry: Manifest.Entry) { entries.removeAll { $0 == entry } }
    var first: Manifest.Entry? { entries.first }
  }

  private func wait(for entry: Manifest.Entry) async throws {
    let (words, report) = (entry.words, report)
    let last = Mutex<Int?>(nil)
    try await target.follow(deployment: entry.object.name, in: entry.object.namespace ?? "default") { deployment in
      guard let deployment else { return false }
      guard !Self.isRolledOut(deployment) else { return true }
      // While a rollout goes on, pods of the old template are available too.
      let isCurrent = deployment.statusCount("observedGeneration") >= deployment.generation
      let updated = isCurrent ? deployment.statusCount("updatedReplicas") : 0
      let count = min(updated, deployment.statusCount("availableReplicas"), deployment.desiredReplicas)
      let isNew = last.withLock { last in
        defer { last = count }
        return last != count
      }
      if isNew { report("\(words): \(count) of \(deployment.desiredReplicas) pods available") }
      return false
    }
  }

  /// Whether all pods of a Deployment are those of its present template, and available.
  static func isRolledOut(_ deployment: KubeObject) -> Bool {
    let updated = deployment.statusCount("updatedReplicas")
    return deployment.statusCount("observedGeneration") >= deployment.generation
      && updated >= deployment.desiredReplicas && deployment.statusCount("replicas") <= updated
      && deployment.statusCount("availableReplicas") >= updated
  }

  private func failure(of entry: Manifest.Entry) async throws -> ManifestError {
    let match = LabelMatch(selector: entry.object.spec["selector"] ?? [:])
    let pods = try await target.pods(in: entry.object.namespace ?? "default")
      .filter { match.matches($0.labels) && !$0.hasCondition("Ready") && !$0.isTerminating }
    let why = pods.lazy.compactMap(Self.trouble).first ?? pods.first.map { "pod \($0.name) is not ready" }
    return ManifestError(
      what: "\(entry.words) is not available after \(patience.components.seconds) s", why: why,
      remedy: pods.first.map {
        "see `kubectl -n \($0.namespace ?? "default") describe pod \($0.name)` and `kubectl logs`"
      })
  }

  /// Why a container of a pod does not run.
  static func trouble(_ pod: KubeObject) -> String? {
    for status in (pod.status["initContainerStatuses"]?.array ?? []) + pod.containerStatuses {
      let name = status["name"]?.string ?? ""
      let last = status["lastState"]?["terminated"] ?? status["state"]?["terminated"]
      let waiting = status["state"]?["waiting"]
      guard let reason = (waiting ?? last)?["reason"]?.string,
        !["ContainerCreating", "PodInitializing", "Completed"].contains(reason)
      else { continue }
      let words = [waiting?["message"]?.string, last?["message"]?.string].compactMap(\.self).first { !$0.isEmpty }
      return "container \(name) of pod \(pod.name): \(reason)\(words.map { ": \($0)" } ?? "")"
    }
    return nil
  }
}
