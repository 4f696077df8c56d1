import DevrunConfig
import DevrunCore
import DevrunSystem
import NIOSSL
import TestSupport
import Testing

@testable import DevrunKube

@Suite("Proxies")
struct ProxyTests {
  private let certificates: Certificates

  init() throws { certificates = try Certificates.shared.get() }

  private func access(_ url: String, proxy: String? = nil) -> ClusterAccess {
    ClusterAccess(server: url, certificateAuthority: certificates.authority, proxyURL: proxy, contextName: "c")
  }

  @Test(arguments: ["http", "https", "socks5"])
  func `A proxy of any kind carries requests with TLS inside`(scheme: String) async throws {
    let proxy = try await LoopbackProxy.start(
      scheme == "socks5" ? .socks : .http(requiredAuthorization: "Basic bWU6cHc="),
      tls: scheme == "https" ? try serverTLS(certificates.addressed) : nil)
    let server = try await LoopbackServer.start(tls: try serverTLS(certificates.named)) { _, _ in .json(200, ["ok": 1])
    }
    // The proxy resolves the name: here nobody knows it.
    let access = access(
      "https://kube.test:\(server.port)",
      proxy: "\(scheme)://\(scheme == "socks5" ? "" : "me:pw@")127.0.0.1:\(proxy.port)")
    try await withClient(access) { client in
      let answer = try await client.get(.namespaces)
      #expect(answer == ["ok": 1])
    }
    #expect(proxy.targets == ["kube.test:\(server.port)"])
    try await server.stop()
    try await proxy.stop()
  }

  @Test func `A proxy from the environment is used unless NO_PROXY excludes the server`() async throws {
    let proxy = try await LoopbackProxy.start(.http(requiredAuthorization: "Basic bWU6c2VjcmV0"))
    let server = try await LoopbackServer.start(tls: try serverTLS(certificates.named)) { _, _ in .json(200, [:]) }
    let variable = RawString("http://me:secret@127.0.0.1:\(proxy.port)")
    let access = access("https://kube.test:\(server.port)")
    try await withClient(access, environment: ["HTTPS_PROXY": variable]) { client in
      _ = try await client.get(.namespaces)
    }
    #expect(proxy.targets.count == 1)
    try await withClient(access, environment: ["HTTPS_PROXY": variable, "NO_PROXY": "kube.test"]) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error == .transport(.nameNotFound(host: "kube.test"), server: client.server))
    }
    #expect(proxy.targets.count == 1)
    try await server.stop()
    try await proxy.stop()
  }

  @Test func `A proxy does not weaken the check of the server's address`() async throws {
    let proxy = try await LoopbackProxy.start(.http(requiredAuthorization: nil))
    let server = try await LoopbackServer.start(tls: try serverTLS(certificates.addressed)) { _, _ in .json(200, [:]) }
    let url = "http://127.0.0.1:\(proxy.port)"
    try await withClient(access("https://127.0.0.1:\(server.port)", proxy: url)) { client in
      _ = try await client.get(.namespaces)
    }
    // The proxy leads every address to this server, whose certificate is for 127.0.0.1 alone: the proxy's own address.
    try await withClient(access("https://10.9.8.7:\(server.port)", proxy: url)) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      guard case .transport(.certificateNotTrusted(let words), _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(words.contains("10.9.8.7"))
    }
    #expect(server.requests.count == 1)
    try await server.stop()
    try await proxy.stop()
  }

  @Test func `A proxy over TLS must present a certificate for its own name`() async throws {
    let proxy = try await LoopbackProxy.start(
      .http(requiredAuthorization: nil), tls: try serverTLS(certificates.named))
    try await withClient(access("https://kube.test", proxy: "https://127.0.0.1:\(proxy.port)")) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      guard case .transport(.proxy(let cause, _), _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(cause.contains("the certificate is not for the address 127.0.0.1"))
    }
    #expect(proxy.targets == [])
    try await proxy.stop()
  }

  @Test func `A proxy that refuses or cannot be reached is reported as the cause`() async throws {
    let refusing = try await LoopbackProxy.start(.refusing("403 Forbidden"))
    let gone = try freePort()
    let closed = try await LoopbackProxy.start(.http(requiredAuthorization: "Basic eA=="))
    for (port, words) in [
      (refusing.port, "does not let"), (gone, "refuses the connection"), (closed.port, "user and a password"),
    ] {
      try await withClient(access("https://kube.test", proxy: "http://127.0.0.1:\(port)")) { client in
        let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
        guard case .transport(.proxy(let cause, _), _) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(cause.contains(words))
        #expect(error?.message.remedy?.contains("proxy") == true)
      }
    }
    try await refusing.stop()
    try await closed.stop()
  }
}
