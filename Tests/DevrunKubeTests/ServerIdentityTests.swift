import DevrunConfig
import DevrunCore
import DevrunSystem
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@testable import DevrunKube

@Suite("Names of servers' certificates")
struct ServerIdentityTests {
  /// The DNS names of a certificate, a server's name, and whether Go's crypto/x509 finds the one among the others.
  @Test(
    arguments: [
      (["kube.test"], "kube.test", true), (["KUBE.test"], "kube.TEST", true), (["kube.test"], "kube.test.", true),
      (["other.test", "kube.test"], "kube.test", true), (["kube.test"], "api.kube.test", false),
      (["*.kube.test"], "api.kube.test", true), (["*.kube.test"], "kube.test", false),
      (["*.kube.test"], "a.b.kube.test", false), (["a*.kube.test"], "api.kube.test", false),
      (["api.*.test"], "api.kube.test", false), (["*"], "localhost", false), (["*.test"], "kube.test", true),
      (["under_score.test"], "under_score.test", true), (["a b"], "a b", true), (["a b"], "a c", false),
      (["kube.test."], "kube.test", false), ([""], "kube.test", false), ([], "kube.test", false),
      (["kube.test\u{0}.evil"], "kube.test", false), (["-a.test"], "-a.test", true),
      (["127.0.0.1"], "kube.test", false),
    ])
  func `A name is compared with the DNS names of a certificate as kubectl does`(
    names: [String], name: String, isCovered: Bool
  ) {
    var certificate = CertificateNames()
    certificate.dnsNames = names
    #expect(certificate.contain(ServerIdentity(name)) == isCovered)
  }

  @Test(
    arguments: [
      ("127.0.0.1", true), ("::ffff:127.0.0.1", true), ("[fd00::1]", true), ("fd00:0::1", true), ("127.0.0.2", false),
      ("fd00::2", false), ("localhost", false),
    ])
  func `An address is compared with the addresses of a certificate, and never with its names`(
    address: String, isCovered: Bool
  ) throws {
    var certificate = CertificateNames()
    certificate.dnsNames = ["127.0.0.2", "fd00::2"]
    certificate.addresses = [try #require(IPAddress("127.0.0.1")), try #require(IPAddress("fd00::1"))]
    #expect(certificate.contain(ServerIdentity(address)) == isCovered)
  }

  @Test func `An error prints the names of a certificate but nothing that is no host name`() {
    var certificate = CertificateNames()
    #expect("\(certificate)" == "no name at all (a common name does not count)")
    certificate.dnsNames = ["kube.test", "evil\u{1b}[2J", "*.kube.test"]
    certificate.addresses = [IPAddress(10, 0, 0, 1)]
    #expect("\(certificate)" == "kube.test, *.kube.test, 10.0.0.1")
  }
}

@Suite("Servers whose certificates are for something else")
struct ServerCertificateTests {
  private let certificates: Certificates

  init() throws { certificates = try Certificates.shared.get() }

  /// What a server got, and how the requests to it ended: an ordinary one and the opening of a port-forward.
  private func outcome(
    server pair: Certificates.Pair, clientAuthority: [UInt8]? = nil, maximum: TLSVersion? = nil,
    minimum: TLSVersion? = nil,
    environment: [String: String] = [:], _ change: @escaping @Sendable (inout ClusterAccess) -> Void
  ) async throws -> (requests: Int, errors: [KubeError?]) {
    let authority = certificates.authority
    var tls = try serverTLS(pair, clientAuthority: clientAuthority)
    tls.maximumTLSVersion = maximum
    if let minimum { tls.minimumTLSVersion = minimum }
    var errors: [KubeError?] = []
    var requests = 0
    try await withServer(
      access: { port in
        var access = ClusterAccess(
          server: "https://127.0.0.1:\(port)", certificateAuthority: authority, contextName: "c",
          credentials: Credentials(authorization: .token("secret")))
        change(&access)
        return access
      }, tls: tls
    ) { _, _ in
      .json(200, [:])
    } _: { client, server in
      errors.append(try await caught(KubeError.self) { _ = try await client.get(.namespaces) })
      errors.append(
        try await caught(KubeError.self) {
          _ = try await client.portForward(
            namespace: "n", pod: "p", port: 80, on: MultiThreadedEventLoopGroup.singleton.next())
        })
      requests = server.requests.count
    }
    return (requests, errors)
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var pair: @Sendable (Certificates) -> Certificates.Pair
    var change: @Sendable (inout ClusterAccess) -> Void
  }

  @Test(
    arguments: [
      Refusal(testDescription: "only for the address that the name resolves to", pair: { $0.addressed }) {
        $0.server = $0.server.replacing("127.0.0.1", with: "localhost")
      },
      Refusal(testDescription: "only for the address, with a tls-server-name", pair: { $0.addressed }) {
        $0.tlsServerName = "kube.test"
      },
      Refusal(testDescription: "only for a common name that is the server's name", pair: { $0.commonNamed }) {
        $0.tlsServerName = "kube.test"
      },
      Refusal(testDescription: "only for a name, with the server's address", pair: { $0.named }) { _ in },
    ])
  func `A certificate for something else than the server's name is refused before the token is sent`(
    _ refusal: Refusal
  ) async throws {
    let (requests, errors) = try await outcome(server: refusal.pair(certificates), refusal.change)
    for error in errors {
      guard case .transport(.certificateNotTrusted, _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
    #expect(requests == 0)
  }

  @Test(arguments: [TLSVersion.tlsv12, .tlsv13])
  func `Servers with keys of Ed25519 and P-521 are reached`(version: TLSVersion) async throws {
    for pair in version == .tlsv12 ? [certificates.modern] : [certificates.modern, certificates.long] {
      let (requests, errors) = try await outcome(server: pair, maximum: version) { _ in }
      #expect(errors[0] == nil)
      #expect(requests == 2)
    }
  }

  @Test(arguments: [TLSVersion.tlsv12, .tlsv13])
  func `A client certificate with a key of Ed25519 is presented`(version: TLSVersion) async throws {
    let user = certificates.modernUser
    let (requests, errors) = try await outcome(
      server: certificates.addressed, clientAuthority: certificates.authority, maximum: version
    ) { $0.credentials.clientCertificate = .init(certificate: user.certificate, key: user.key) }
    #expect(errors[0] == nil)
    #expect(requests == 2)
  }

  @Test(arguments: [TLSVersion.tlsv12, .tlsv13])
  func `A server that demands a client certificate is reported as such`(version: TLSVersion) async throws {
    let (requests, errors) = try await outcome(
      server: certificates.addressed, clientAuthority: certificates.authority, maximum: version
    ) { _ in }
    #expect(requests == 0)
    for error in errors {
      let why = error?.message.why
      #expect(why?.contains("demands a client certificate") == true)
      #expect(why?.contains("/") == false)
    }
  }

  @Test func `A server that speaks only old versions of TLS is reported as such`() async throws {
    let (_, errors) = try await outcome(server: certificates.addressed, maximum: .tlsv11, minimum: .tlsv1) { _ in }
    for error in errors {
      #expect(error?.message.why == "the server speaks only versions of TLS older than 1.2, which are not safe")
    }
  }

  @Test func `A certificate and a key that do not belong together are reported as such`() async throws {
    let (one, other) = (certificates.user, certificates.otherUser)
    for key in [other.key, certificates.modernUser.key] {
      var access = ClusterAccess(server: "https://127.0.0.1:1", contextName: "c")
      access.credentials.clientCertificate = .init(certificate: one.certificate, key: key)
      let error = try await caught(KubeError.self) { try await withClient(access) { _ in } }
      #expect(error?.message.why == "the certificate and the key do not belong together")
    }
  }

  @Test func `The good certificates of a bundle count beside a broken one`() async throws {
    let broken = Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8)
    let cut = Array("-----BEGIN CERTIFICATE-----\nMIIB\n".utf8)
    let authority = certificates.authority
    for bundle in [broken + authority, authority + broken, cut + authority, authority + cut] {
      let (_, errors) = try await outcome(server: certificates.addressed) { $0.certificateAuthority = bundle }
      #expect(errors[0] == nil)
    }
  }
}

@Suite("Certificates that the system trusts")
struct TrustRootsTests {
  @Test func `SSL_CERT_FILE and SSL_CERT_DIR name the trusted certificates if the kubeconfig names none`() async throws
  {
    let certificates = try Certificates.shared.get()
    let folder = try TemporaryFolder()
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    let good = try folder.write("good.pem", text(certificates.otherAuthority + certificates.authority))
    try folder.write("folder/ca", text(certificates.authority))
    try folder.write("folder/README", "no certificate")
    let empty = try folder.write("empty/other", text(certificates.otherAuthority))
    let cases: [(EnvironmentVariables, Bool)] = [
      (["SSL_CERT_FILE": RawString(good)], true), (["SSL_CERT_DIR": RawString(folder.path("folder"))], true),
      (["SSL_CERT_DIR": RawString("\(folder.path("empty")):\(folder.path("folder"))")], true),
      (["SSL_CERT_FILE": RawString(good), "SSL_CERT_DIR": RawString(folder.path("empty"))], true),
      (["SSL_CERT_FILE": RawString(empty), "SSL_CERT_DIR": RawString(folder.path("empty"))], false),
      (["SSL_CERT_FILE": RawString(folder.path("missing"))], false), (["SSL_CERT_FILE": ""], false),
    ]
    let server = try await LoopbackServer.start(tls: try serverTLS(certificates.addressed)) { _, _ in .json(200, [:]) }
    for (environment, isTrusted) in cases {
      for authority in [nil, certificates.otherAuthority] {
        let access = ClusterAccess(
          server: "https://127.0.0.1:\(server.port)", certificateAuthority: authority, contextName: "c")
        try await withClient(access, environment: environment) { client in
          let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
          #expect((error == nil) == (isTrusted && authority == nil), "\(environment) \(String(describing: error))")
        }
      }
    }
    try await server.stop()
  }

  @Test func `Variables that name no certificate are named in the error`() throws {
    let environment: EnvironmentVariables = ["SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent"]
    let url = try #require(ServerURL("https://127.0.0.1:1"))
    let access = ClusterAccess(server: "https://127.0.0.1:1", contextName: "c")
    let error = #expect(throws: KubeError.self) {
      _ = try TLSSettings(server: url, access: access, environment: environment)
    }
    #expect(error?.message.why?.contains("SSL_CERT_FILE") == true)
  }
}
