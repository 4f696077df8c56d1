import DevrunConfig
import DevrunCore
import NIOConcurrencyHelpers
import NIOHTTP1
import NIOSSL
import Testing

@testable import DevrunKube

/// A TLS server's configuration.
func serverTLS(_ pair: Certificates.Pair, clientAuthority: [UInt8]? = nil) throws -> TLSConfiguration {
  var configuration = TLSConfiguration.makeServerConfiguration(
    certificateChain: try NIOSSLCertificate.fromPEMBytes(pair.certificate).map { .certificate($0) },
    privateKey: .privateKey(try NIOSSLPrivateKey(bytes: pair.key, format: .pem)))
  // NIOSSL's own list lacks Ed25519.
  configuration.verifySignatureAlgorithms = [.ecdsaSecp256R1Sha256, .ed25519]
  if let clientAuthority {
    configuration.certificateVerification = .noHostnameVerification
    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(clientAuthority))
  }
  return configuration
}

@Suite("TLS")
struct TLSTests {
  private let certificates: Certificates

  init() throws { certificates = try Certificates.shared.get() }

  /// How a request to a server with a certificate ends.
  private func outcome(
    server pair: Certificates.Pair, _ change: @escaping @Sendable (inout ClusterAccess) -> Void
  ) async throws -> KubeError? {
    let authority = certificates.authority
    var error: KubeError?
    try await withServer(
      access: { port in
        var access = ClusterAccess(
          server: "https://127.0.0.1:\(port)", certificateAuthority: authority, contextName: "c")
        change(&access)
        return access
      }, tls: try serverTLS(pair)
    ) { request, _ in
      .json(200, ["host": .string(request.headers["Host"].joined())])
    } _: { client, server in
      error = try await caught(KubeError.self) {
        let answer = try await client.get(.namespaces)
        #expect(answer.json["host"]?.string == "\(client.serverURL.host):\(server.port)")
      }
    }
    return error
  }

  @Test func `A certificate for the server's address is accepted`() async throws {
    let error = try await outcome(server: certificates.addressed) { _ in }
    #expect(error == nil)
  }

  @Test func `A certificate for tls-server-name is accepted while the Host header names the server`() async throws {
    let error = try await outcome(server: certificates.named) { $0.tlsServerName = "kube.test" }
    #expect(error == nil)
  }

  @Test func `A certificate for an address in tls-server-name is accepted`() async throws {
    let error = try await outcome(server: certificates.addressed) { access in
      access.tlsServerName = "127.0.0.1"
      access.server = access.server.replacing("127.0.0.1", with: "localhost")
    }
    #expect(error == nil)
  }

  @Test func `Any certificate is accepted if the kubeconfig skips TLS verification`() async throws {
    let error = try await outcome(server: certificates.named) { access in
      access.insecureSkipTLSVerify = true
      access.certificateAuthority = nil
    }
    #expect(error == nil)
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var isAddressed: Bool
    var change: @Sendable (inout ClusterAccess, Certificates) -> Void
  }

  @Test(
    arguments: [
      Refusal(testDescription: "for another name than the server's address", isAddressed: false) { _, _ in },
      Refusal(testDescription: "for another name than tls-server-name", isAddressed: false) { access, _ in
        access.tlsServerName = "other.test"
      },
      Refusal(testDescription: "for another address than tls-server-name", isAddressed: true) { access, _ in
        access.tlsServerName = "10.0.0.1"
      },
      Refusal(testDescription: "of another authority", isAddressed: true) { access, certificates in
        access.certificateAuthority = certificates.otherAuthority
      },
      Refusal(testDescription: "that the system does not trust", isAddressed: true) { access, _ in
        access.certificateAuthority = nil
      },
    ])
  func `A certificate that is untrusted or belongs to another server is refused`(_ refusal: Refusal) async throws {
    let certificates = certificates
    let error = try await outcome(server: refusal.isAddressed ? certificates.addressed : certificates.named) { access in
      refusal.change(&access, certificates)
    }
    guard case .transport(.certificateNotTrusted, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `A server that does not use TLS is reported as a TLS or connection failure`() async throws {
    try await withServer(
      access: { ClusterAccess(server: "https://127.0.0.1:\($0)", contextName: "c") }
    ) { _, _ in
      .json(200, [:])
    } _: { client, _ in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      switch error {
      case .transport(.tls, _), .transport(.dropped, _): break
      default: Issue.record("\(String(describing: error))")
      }
    }
  }

  @Test func `A client certificate is presented, and a new one changes the TLS configuration`() async throws {
    let certificates = certificates
    let users = NIOLockedValueBox([certificates.user, certificates.otherUser])
    let server = try await LoopbackServer.start(
      tls: try serverTLS(certificates.addressed, clientAuthority: certificates.authority)
    ) { _, index in index == 1 ? .status(401, reason: "", message: "expired") : .json(200, [:]) }
    let pair = certificates.user
    let access = ClusterAccess(
      server: "https://127.0.0.1:\(server.port)", certificateAuthority: certificates.authority, contextName: "c",
      credentials: Credentials(clientCertificate: .init(certificate: pair.certificate, key: pair.key)))
    try await withClient(access) { client in
      _ = try await client.get(.namespaces)
      let shown = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(shown == .unauthorized(context: "c", server: client.server, words: "expired"))
      // The same certificate gives the same configuration, so that connections are used again.
      let first = try client.tlsConfiguration(try await client.credential())
      let second = try client.tlsConfiguration(try await client.credential())
      #expect(first?.bestEffortEquals(second ?? .clientDefault) == true)
      let next = users.withLockedValue { $0[1] }
      var other = try await client.credential()
      other.clientCertificate = .init(certificate: next.certificate, key: next.key)
      let third = try client.tlsConfiguration(other)
      #expect(first?.bestEffortEquals(third ?? .clientDefault) == false)
    }
    // Without a certificate such a server lets nobody in.
    var anonymous = access
    anonymous.credentials = Credentials()
    try await withClient(anonymous) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      guard case .transport = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    try await server.stop()
  }

  @Test func `A certificate or key that is not PEM is refused before any request`() async throws {
    let pair = certificates.user
    let access = ClusterAccess(server: "https://127.0.0.1:1", contextName: "c")
    var badAuthority = access
    badAuthority.certificateAuthority = Array("no PEM".utf8)
    var badCertificate = access
    badCertificate.credentials.clientCertificate = .init(certificate: Array("x".utf8), key: pair.key)
    var badKey = access
    badKey.credentials.clientCertificate = .init(certificate: pair.certificate, key: Array("x".utf8))
    for (access, words) in [
      (badAuthority, "certificate authority"), (badCertificate, "certificate is no PEM"), (badKey, "key is no PEM"),
    ] {
      let error = try await caught(KubeError.self) { try await withClient(access) { _ in } }
      #expect(error?.description.contains(words) == true)
    }
  }
}
