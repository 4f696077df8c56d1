import DevrunConfig
import DevrunKube
import DevrunSystem
import FaultProxy
import NIOPosix
import TestCluster
import TestSupport
import Testing

@Suite("Faults of requests")
struct RequestFaultTests {
  @Test func `A request passes the proxy, and its answer comes back`() async throws {
    try await ProxiedCluster.run { proxied in
      try await proxied.make("a")
      #expect(proxied.cluster.object("configmaps/a") != nil)
      #expect(try await proxied.namespace.client.list(proxied.namespace.configMaps).items.map(\.name) == ["a"])
    }
  }

  @Test(arguments: [401, 403, 409, 410, 422, 429, 500, 503])
  func `The proxy answers a request with a status, as often as it is asked to`(code: Int) async throws {
    try await ProxiedCluster.run { proxied in
      let fault = try await proxied.proxy.inject(
        .answer(code), into: RequestPattern("POST", "configmaps"), code == 429 ? .times(4) : .once)
      let error = await #expect(throws: KubeError.self) { try await proxied.make("a") }
      if code == 401 {
        guard case .unauthorized = error else { throw TestFailure("another error: \(String(describing: error))") }
      } else {
        #expect(error?.status?.code == code)
      }
      #expect(proxied.cluster.writes == [])
      try await proxied.make("a")
      #expect(fault.hits == (code == 429 ? 4 : 1))
    }
  }

  @Test func `A refusal by the proxy reads as the authorizer's own`() async throws {
    try await ProxiedCluster.run { proxied in
      try await proxied.proxy.inject(.answer(403), into: RequestPattern("GET", "configmaps/a"))
      let error = await #expect(throws: KubeError.self) {
        try await proxied.namespace.client.get(proxied.namespace.configMaps.named("a"))
      }
      #expect(error?.status?.refusal == .missingRight)
      #expect(error?.status?.details.name == "a")
    }
  }

  @Test func `The proxy asks a client to come back later`() async throws {
    try await ProxiedCluster.run { proxied in
      let fault = try await proxied.proxy.inject(
        .answer(429, retryAfter: 1), into: RequestPattern("POST", "configmaps"), .once)
      let start = ContinuousClock.now
      try await proxied.make("a")
      #expect(ContinuousClock.now - start >= .seconds(1))
      #expect(fault.hits == 1)
    }
  }

  @Test func `A request whose connection is cut does not reach the server`() async throws {
    try await ProxiedCluster.run { proxied in
      let fault = try await proxied.proxy.inject(.cut, into: RequestPattern("POST", "configmaps"), .once)
      let error = await #expect(throws: KubeError.self) { try await proxied.make("a") }
      guard case .transport(.dropped, _) = error else {
        throw TestFailure("another error: \(String(describing: error))")
      }
      #expect(fault.hits == 1)
      #expect(proxied.cluster.writes == [])
    }
  }

  @Test func `A write whose answer is lost has been carried out`() async throws {
    try await ProxiedCluster.run { proxied in
      let fault = try await proxied.proxy.inject(
        .loseAnswer, into: RequestPattern("POST", "configmaps", containing: "\"a\""), .once)
      let error = await #expect(throws: KubeError.self) { try await proxied.make("a") }
      guard case .transport(.dropped, _) = error else {
        throw TestFailure("another error: \(String(describing: error))")
      }
      #expect(fault.hits == 1)
      #expect(proxied.cluster.object("configmaps/a") != nil)
      try await proxied.make("b")
    }
  }

  @Test func `An answer that is held comes once the fault is lifted`() async throws {
    try await ProxiedCluster.run { proxied in
      let fault = try await proxied.proxy.inject(.hold, into: RequestPattern("POST", "configmaps"))
      let answered = Latch<Void>()
      async let made: Void = {
        try await proxied.make("a")
        answered.set(())
      }()
      try await fault.hit()
      #expect(proxied.cluster.object("configmaps/a") != nil)
      #expect(answered.value == nil)
      fault.lift()
      try await made
    }
  }

  @Test func `Requests are counted without a fault`() async throws {
    try await ProxiedCluster.run { proxied in
      let all = try await proxied.proxy.inject(.pass, into: .all)
      let writes = try await proxied.proxy.inject(.pass, into: RequestPattern("POST"))
      try await proxied.make("a")
      _ = try await proxied.namespace.client.list(proxied.namespace.configMaps)
      #expect(try await all.hit(2).method == "GET")
      #expect(writes.hits == 1)
    }
  }

  @Test func `A fault that does not occur is a failure of the test that waits for it`() async throws {
    try await ProxiedCluster.run { proxied in
      let fault = try await proxied.proxy.inject(.answer(500), into: RequestPattern("POST", "secrets"))
      try await proxied.make("a")
      await #expect(throws: TestFailure.self) { try await fault.hit(within: .milliseconds(1)) }
    }
  }

  @Test func `A proxy that is away refuses its clients, and comes back on its port`() async throws {
    try await ProxiedCluster.run { proxied in
      try await proxied.make("a")
      try await proxied.proxy.goAway()
      let error = await #expect(throws: KubeError.self) { try await proxied.make("b") }
      #expect(error?.isTransient == true)
      try await proxied.proxy.comeBack()
      try await proxied.make("b")
      #expect(proxied.cluster.keys("configmaps") == ["configmaps/a", "configmaps/b"])
    }
  }

  @Test func `The proxy's kubeconfig leads to it, and nobody without its token passes`() async throws {
    try await ProxiedCluster.run { proxied in
      let folder = try TemporaryFolder()
      let path = try folder.write("kubeconfig", proxied.proxy.kubeconfig)
      let locations = Kubeconfig.Locations(file: path, environment: [:], home: nil, workingDirectory: "/")
      var access = try Kubeconfig.access(from: locations)
      access.source = nil
      #expect(access == proxied.proxy.clientAccess)
      access.credentials.authorization = .token("another")
      let stranger = try KubeClient(access: access, environment: [:], group: MultiThreadedEventLoopGroup.singleton)
      let error = await #expect(throws: KubeError.self) {
        try await stranger.list(Namespace("ns", client: stranger).configMaps)
      }
      try await stranger.shutdown()
      guard case .unauthorized = error else { throw TestFailure("another error: \(String(describing: error))") }
      #expect(proxied.cluster.requests == [])
    }
  }
}
