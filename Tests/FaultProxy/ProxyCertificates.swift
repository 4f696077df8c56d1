internal import Crypto
internal import Foundation
internal import NIOSSL
internal import SwiftASN1
internal import X509

/// The certificate authority of one proxy, and the certificate that it made for 127.0.0.1.
struct ProxyCertificates: Sendable {
  /// The authority's certificate as PEM text.
  let authority: String
  /// How the proxy speaks TLS with its clients: HTTP/1.1, so that one connection carries one request at a time.
  let server: NIOSSLContext

  init() throws {
    let (authorityKey, key) = (P256.Signing.PrivateKey(), P256.Signing.PrivateKey())
    let name = try DistinguishedName { CommonName("fault proxy") }
    let now = Date()
    func certificate(
      for key: P256.Signing.PrivateKey, subject: DistinguishedName, _ extensions: Certificate.Extensions
    ) throws -> Certificate {
      try Certificate(
        version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: now - 60,
        notValidAfter: now + 86_400, issuer: name, subject: subject, extensions: extensions,
        issuerPrivateKey: .init(authorityKey))
    }
    let root = try certificate(
      for: authorityKey, subject: name,
      Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
        Critical(KeyUsage(keyCertSign: true))
      })
    let leaf = try certificate(
      for: key, subject: try DistinguishedName { CommonName("127.0.0.1") },
      Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames([
          .dnsName("localhost"), .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
        ])
      })
    authority = try root.serializeAsPEM().pemString
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: [
        .certificate(try NIOSSLCertificate(bytes: Array(try leaf.serializeAsPEM().derBytes), format: .der))
      ],
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem)))
    configuration.applicationProtocols = ["http/1.1"]
    server = try NIOSSLContext(configuration: configuration)
  }
}
