import DevrunPlan
import Foundation
import TestSupport
import Testing

/// Gives a suite one session with what has names and addresses beside the Services: `names.yaml`, and a target whose
/// `hostAliases` lead to the pod `loner` there.
struct NamedPodsTrait: SuiteTrait, TestScoping {
  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let cluster = Cluster.shared
    try await cluster.with(manifest: "names") {
      try await cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
      try await cluster.kubectl("wait", "--for=condition=Ready", "pod/loner", "--timeout=60s")
      let target = try cluster.manifest("named")
        .replacingOccurrences(of: "192.0.2.1", with: try await cluster.kubectl.value("pod/loner", ".status.podIP"))
      try await cluster.kubectl.apply(target)
      do {
        try await use(cluster, function)
      } catch {
        try await cluster.kubectl.delete(manifest: target)
        throw error
      }
      try await cluster.kubectl.delete(manifest: target)
    }
  }

  private func use(_ cluster: Cluster, _ function: @Sendable () async throws -> Void) async throws {
    try await cluster.kubectl.settled()
    let shell = try await SessionShell(cluster, ["-t", "deployment/named", "--take-over", "never"])
    do {
      try await SessionShell.$current.withValue(shell) { try await function() }
    } catch {
      try await shell.exit()
      throw error
    }
    let outcome = try await shell.exit(3)
    #expect(outcome.status == .exited(3), "\(outcome)")
  }
}

extension Trait where Self == NamedPodsTrait {
  /// One session for all tests of a suite, beside pods that have names.
  static var namedPods: Self { NamedPodsTrait() }
}
