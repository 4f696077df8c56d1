package import DevrunCore
package import DevrunKube

/// Two sessions cannot share one Deployment, and one cannot begin while another is being put back: it would record what is
/// not the team's.
extension DeploymentRedirect {
  /// How long a restore that is under way elsewhere has.
  static let restorePatience: Duration = .seconds(15)

  /// Makes sure that no other session has to do with a Deployment. A restore that was broken off is finished first, one
  /// that is under way is awaited.
  ///
  /// - Parameters:
  ///   - workload: the Deployment.
  ///   - reporter: gets the news.
  /// - Throws: `WorkloadError.alreadyRedirected`, `KubeError`
  package func checkNobodyElse(of workload: Workload, reporter: (any Reporter)? = nil) async throws {
    let deployment = try await namespace.client.get(namespace.deployments.named(workload.name))
    if let other = deployment.template.session, other != agent.session {
      throw Self.alreadyRedirected(deployment, by: try OriginalRecord.read(from: deployment), restoreCommand)
    }
    try await Self.awaitOrFinishRestore(of: workload.name, in: namespace, reporter: reporter ?? NoReporter())
  }

  /// Awaits the end of a restore that is under way, for a bounded time, and finishes what was broken off. Does nothing to
  /// a Deployment that is redirected, to one that nothing has to be put back on, and to one whose record nothing confirms:
  /// that is restored only where somebody asks for it.
  ///
  /// - Throws: `KubeError`, `WorkloadError`
  package static func awaitOrFinishRestore(
    of name: String, in namespace: Namespace, reporter: any Reporter
  ) async throws {
    let restore = DeploymentRestore(of: name, in: namespace)
    guard let deployment = try await namespace.find(restore.path), deployment.template.session == nil else { return }
    for record in try await restore.provenRecords(on: deployment) {
      reporter.report(.step("waiting until \(record.holder) has put deployment/\(name) back"))
      let configMap = namespace.configMaps.named(DeploymentRestore.recordName(record.session))
      if try await isUnderWay(configMap, in: namespace) {
        _ = try await RestoreUrgency().unlessSkipped(within: restorePatience) {
          try await awaitDeletion(of: configMap, in: namespace)
        }
      }
      try await restore.run(session: record.session)
    }
  }

  /// A restore begins with the ConfigMap of its record and ends with it. Without one there is nobody to wait for.
  private static func isUnderWay(_ configMap: ResourcePath, in namespace: Namespace) async throws -> Bool {
    do {
      return try await namespace.find(configMap) != nil
    } catch let error as KubeError where error.isForbidden {
      return false
    }
  }

  private static func awaitDeletion(of path: ResourcePath, in namespace: Namespace) async throws {
    do {
      for try await event in namespace.client.watch(object: path) {
        switch event {
        case .snapshot(let found) where found.isEmpty: return
        case .deleted: return
        default: continue
        }
      }
    } catch let error as KubeError where error.isForbidden {
      return  // Whoever may not watch it finishes the restore at once: each of its steps may be done twice.
    }
  }
}

/// Reports nothing.
private struct NoReporter: Reporter {
  func report(_ event: ReportEvent) {}
}
