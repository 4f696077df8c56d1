import DevrunConfig
import DevrunCore
import Foundation
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import DevrunKube

@Suite("Credentials that change while a session lives")
struct RenewalTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The access of a kubeconfig whose user and cluster have the given members.
  private func access(port: Int = 1, cluster: String = "", user: String) throws -> ClusterAccess {
    try folder.write(
      "config",
      """
      current-context: c
      clusters: [{name: k, cluster: {server: "https://127.0.0.1:\(port)", \(cluster)}}]
      users: [{name: u, user: {\(user)}}]
      contexts: [{name: c, context: {cluster: k, user: u}}]
      """)
    return try Kubeconfig.access(
      from: .init(file: "config", environment: [:], home: nil, workingDirectory: folder.path))
  }

  private func write(_ name: String, _ bytes: [UInt8]) throws {
    try folder.write(name, String(decoding: bytes, as: UTF8.self))
  }

  @Test func `A renewed client certificate is shown, and a half renewed one is not`() async throws {
    let certificates = try Certificates.shared.get()
    let (old, new) = (certificates.user, certificates.modernUser)
    let server = try await LoopbackServer.start(
      tls: try serverTLS(certificates.addressed, clientAuthority: certificates.authority)
    ) { _, _ in .json(200, [:]) }
    try write("ca", certificates.authority)
    try write("crt", old.certificate)
    try write("key", old.key)
    let access = try access(
      port: server.port, cluster: "certificate-authority: ca", user: "client-certificate: crt, client-key: key")
    try await withClient(access) { client in
      func shown() async throws -> [UInt8]? {
        _ = try await client.get(.namespaces)
        return try await client.credential().clientCertificate?.certificate
      }
      #expect(try await shown() == old.certificate)
      try write("crt", new.certificate)
      #expect(try await shown() == old.certificate)
      try write("key", new.key)
      #expect(try await shown() == new.certificate)
      // What is gone or empty for a moment does not end what works.
      try write("key", [])
      #expect(try await shown() == new.certificate)
      try FileManager.default.removeItem(atPath: folder.path("crt"))
      #expect(try await shown() == new.certificate)
    }
    try await server.stop()
  }

  @Test func `A renewed certificate authority is trusted, and connections go on`() async throws {
    let certificates = try Certificates.shared.get()
    let server = try await LoopbackServer.start(tls: try serverTLS(certificates.addressed)) { _, _ in .json(200, [:]) }
    try write("ca", certificates.otherAuthority)
    let access = try access(port: server.port, cluster: "certificate-authority: ca", user: "token: t")
    try await withClient(access) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      guard case .transport(.certificateNotTrusted, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      try write("ca", certificates.otherAuthority + certificates.authority)
      _ = try await client.get(.namespaces)
      try write("ca", Array("-----BEGIN CERTIFICATE-----\nhalf".utf8))
      _ = try await client.get(.namespaces)
    }
    try await server.stop()
  }

  @Test func `A token that is refused is read again from the kubeconfig, once for each refusal`() async throws {
    let source = CredentialSource(try access(user: "token: old"), isUsable: { _ in true }) { _ in
      throw CancellationError()
    }
    let first = try await source.credential()
    #expect(first.authorization == "Bearer old")
    #expect(await !source.refused(first))
    _ = try access(user: "token: new")
    #expect(await source.refused(first))
    // Of several requests that were refused together each is to try again.
    #expect(await source.refused(first))
    let second = try await source.credential()
    #expect(second.authorization == "Bearer new")
    #expect(await source.refused(first))
    #expect(await !source.refused(second))
    // Another cluster's credentials are not sent to this one.
    _ = try access(port: 2, user: "token: other")
    #expect(await !source.refused(second))
    #expect(try await source.credential().authorization == "Bearer new")
  }

  @Test func `A token of nothing but white space is none`() async throws {
    let source = CredentialSource(try access(user: #"token: "  ""#), isUsable: { _ in true }) { _ in
      throw CancellationError()
    }
    #expect(try await source.credential().authorization == nil)
  }

  @Test func `A changed file counts as soon as the kubeconfig can be read again`() async throws {
    let certificates = try Certificates.shared.get()
    try write("ca", certificates.authority)
    let source = CredentialSource(
      try access(cluster: "certificate-authority: ca", user: "token: old"), isUsable: { _ in true }
    ) { _ in throw CancellationError() }
    _ = try await source.credential()
    let kubeconfig = try String(contentsOfFile: folder.path("config"), encoding: .utf8)
    // A login writes both files, and the kubeconfig is half written at first.
    try write("ca", certificates.otherAuthority)
    try folder.write("config", String(kubeconfig.prefix(kubeconfig.count / 2)))
    #expect(try await source.credential().certificateAuthority == certificates.authority)
    try folder.write("config", kubeconfig)
    #expect(try await source.credential().certificateAuthority == certificates.otherAuthority)
  }

  @Test(arguments: [nil, "", " \n", "two\nlines"])
  func `The last good token stands in for a token file that cannot be used`(text: String?) async throws {
    let path = try folder.write("token", "one\n")
    let time = NIOLockedValueBox(Date(timeIntervalSince1970: 0))
    let source = CredentialSource(
      Credentials(authorization: .tokenFile(path: path, fallback: "first")), now: { time.withLockedValue { $0 } }
    ) { _ in
      throw CancellationError()
    }
    #expect(try await source.credential().authorization == "Bearer one")
    if let text { try folder.write("token", text) } else { try FileManager.default.removeItem(atPath: path) }
    time.withLockedValue { $0 += 61 }
    let stale = try await source.credential()
    #expect(stale.authorization == "Bearer one")
    #expect(await source.refused(stale))
    #expect(try await source.credential().authorization == "Bearer one")
    // It is read again by the very next request.
    try folder.write("token", "two\n")
    #expect(try await source.credential().authorization == "Bearer two")
  }

  @Test func `An id-token is sent until it ends, and then the one that kubectl has written`() async throws {
    func user(_ expiration: Int, _ more: String = "") -> String {
      let claims = Data(#"{"exp":\#(expiration)}"#.utf8).base64EncodedString().replacing("=", with: "")
      return "auth-provider: {name: oidc, config: {id-token: e30.\(claims).c2ln\(expiration)\(more)}}"
    }
    let time = NIOLockedValueBox(Date(timeIntervalSince1970: 0))
    let source = CredentialSource(
      try access(user: user(100)), isUsable: { _ in true }, now: { time.withLockedValue { $0 } }
    ) { _ in
      throw CancellationError()
    }
    func header() async throws -> String? { try await source.credential().authorization }
    #expect(try await header()?.hasSuffix(".c2ln100") == true)
    time.withLockedValue { $0 += 89 }
    #expect(try await header()?.hasSuffix(".c2ln100") == true)
    time.withLockedValue { $0 += 1 }
    let error = try await caught(CredentialError.self) { _ = try await header() }
    #expect(error == .idToken(isMissing: false))
    #expect(error?.message.remedy?.contains("int128/kubelogin") == true)
    _ = try access(user: user(200, ", refresh-token: r"))
    #expect(try await header()?.hasSuffix(".c2ln200") == true)
  }
}
