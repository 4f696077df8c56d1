import DevrunPlan
import FaultProxy
import TestSupport
import Testing

extension FaultProxy {
  /// The proxy of the running suite.
  @TaskLocal static var current: FaultProxy?

  /// The proxy of the running suite.
  static var shared: FaultProxy {
    guard let current else { fatalError("a suite asks for a proxy and has no trait `.faultySession`") }
    return current
  }
}

extension Cluster {
  /// Runs something with a proxy before the API server, and with the developer's account behind it.
  func withFaults(_ body: (FaultProxy, Account) async throws -> Void) async throws {
    let proxy = try await FaultProxy.start(beforeKubeconfig: developer.kubeconfig)
    let path = "\(user.folder)/faults-\(proxy.port).kubeconfig"
    let result: Result<Void, any Error>
    do {
      try user.write(proxy.kubeconfig, to: path)
      result = .success(try await body(proxy, Account(kubeconfig: path)))
    } catch {
      result = .failure(error)
    }
    try await proxy.stop()
    try await run(["rm", "-f", path])
    try result.get()
  }
}

/// Gives a suite one session that has the traffic of `myapp1`, behind a proxy that fails; checks that it leaves no trace.
struct FaultySessionTrait: SuiteTrait, TestScoping {
  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let cluster = Cluster.shared
    try await cluster.leavingNoTrace {
      try await cluster.withFaults { proxy, account in
        let shell = try await SessionShell(
          cluster, ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)"], as: account)
        do {
          try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests") {
            try await cluster.serves("wget -qO- http://myapp1/", "the app on this machine")
            try await FaultProxy.$current.withValue(proxy) {
              try await SessionShell.$current.withValue(shell) { try await function() }
            }
          }
        } catch {
          try await shell.exit()
          throw error
        }
        let outcome = try await shell.exit(3)
        #expect(outcome.status == .exited(3), "\(outcome)")
      }
    }
  }
}

extension Trait where Self == FaultySessionTrait {
  /// One session for all tests of a suite, behind a proxy that fails as they ask it to.
  static var faultySession: Self { FaultySessionTrait() }
}
