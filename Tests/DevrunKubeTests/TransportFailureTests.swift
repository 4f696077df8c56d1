import DevrunCore
import DevrunSystem
import NIOCore
import NIOPosix
import TestSupport
import Testing

import DevrunConfig
@testable import DevrunKube

@Suite("Failures of the transport")
struct TransportFailureTests {
  private static func proxy() throws -> ProxyServer {
    let access = ClusterAccess(server: "https://kube.test", proxyURL: "http://proxy.test:3128", contextName: "c")
    let server = try #require(ServerURL(access.server))
    return try #require(try ProxyServer.choose(for: server, access: access, environment: [:]))
  }

  @Test(
    arguments: [
      TransportFailure.refused, .nameNotFound(host: "x"), .unreachable("no route"), .connectTimeout, .responseTimeout,
      .dropped("reset"), .certificateNotTrusted("x"), .tls(.other("x")), .other("x"),
    ])
  func `A failure passes behind a proxy if it passes without one`(failure: TransportFailure) throws {
    #expect(try Self.proxy().describe(failure).isTransient == failure.isTransient)
  }

  @Test(
    arguments: [
      ("502 Bad Gateway", true), ("503 Service Unavailable", true), ("504 Gateway Timeout", true),
      ("403 Forbidden", false), ("407 Proxy Authentication Required", false), ("405 Method Not Allowed", false),
    ])
  func `A proxy that cannot reach the server now passes, and one that refuses does not`(
    status: String, passes: Bool
  ) async throws {
    let proxy = try await LoopbackProxy.start(.refusing(status))
    let access = ClusterAccess(
      server: "http://kube.test", proxyURL: "http://127.0.0.1:\(proxy.port)", contextName: "test")
    try await withClient(access) { client in
      let loop = MultiThreadedEventLoopGroup.singleton.next()
      let error = try await caught(KubeError.self) {
        _ = try await client.portForward(namespace: "shop", pod: "web", port: 80, on: loop)
      }
      #expect(error?.isTransient == passes)
      #expect(error?.message.why?.contains(status.prefix(3)) == true)
    }
    try await proxy.stop()
  }

  @Test(arguments: [("502 Bad Gateway", true), ("407 Proxy Authentication Required", false)])
  func `A request through a proxy fails for a while or for good as the proxy answers`(
    status: String, passes: Bool
  ) async throws {
    let proxy = try await LoopbackProxy.start(.refusing(status))
    let access = ClusterAccess(
      server: "https://kube.test", proxyURL: "http://127.0.0.1:\(proxy.port)", contextName: "test")
    try await withClient(access) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error?.isTransient == passes)
    }
    try await proxy.stop()
  }

  @Test(arguments: ["http", "https", "socks5"])
  func `A proxy that is away passes`(scheme: String) async throws {
    let access = ClusterAccess(
      server: "https://kube.test", proxyURL: "\(scheme)://127.0.0.1:\(try freePort())", contextName: "test")
    try await withClient(access) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error?.isTransient == true)
      guard case .transport(.proxy, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }
}
