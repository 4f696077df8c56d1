internal import Crypto
internal import FoundationEssentials
internal import SwiftASN1
internal import X509

/// The cluster's own certificate authority, which lives as long as the process.
///
/// Its certificates are valid for a year from the day before, for clocks that differ.
struct CertificateAuthority: Sendable {
  /// A certificate and its key.
  struct Issued: Sendable {
    /// The certificate in PEM.
    var certificate: String
    /// The certificate in DER.
    var der: [UInt8]
    /// The key in PEM (PKCS #8).
    var key: String
  }

  /// The authority's own certificate in PEM, which clients trust.
  let certificate: String
  private let key: Certificate.PrivateKey
  private let name: DistinguishedName

  /// A new authority.
  init() throws {
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    let name = try DistinguishedName { CommonName("minicluster") }
    let certificate = try Self.certificate(
      of: key.publicKey, subject: name, issuer: name, signedBy: key,
      try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
        Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
      })
    self.certificate = try certificate.serializeAsPEM().pemString
    self.key = key
    self.name = name
  }

  /// A server's certificate for names and addresses.
  func server(names: [String], addresses: [[UInt8]]) throws -> Issued {
    let alternatives =
      names.map(GeneralName.dnsName) + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
    return try issue(
      try DistinguishedName { CommonName("kube-apiserver") },
      try Certificate.Extensions {
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames(alternatives)
      })
  }

  /// A client's certificate: the user's name, and the user's groups as organizations
  /// (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates).
  func client(of user: User) throws -> Issued {
    let subject = try DistinguishedName {
      CommonName(user.name)
      for group in user.groups { OrganizationName(group) }
    }
    return try issue(
      subject,
      try Certificate.Extensions {
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.clientAuth])
      })
  }

  private func issue(_ subject: DistinguishedName, _ extensions: Certificate.Extensions) throws -> Issued {
    let key = P256.Signing.PrivateKey()
    let certificate = try Self.certificate(
      of: Certificate.PrivateKey(key).publicKey, subject: subject, issuer: name, signedBy: self.key, extensions)
    let document = try certificate.serializeAsPEM()
    return Issued(certificate: document.pemString, der: document.derBytes, key: key.pemRepresentation)
  }

  private static func certificate(
    of key: Certificate.PublicKey, subject: DistinguishedName, issuer: DistinguishedName,
    signedBy issuerKey: Certificate.PrivateKey, _ extensions: Certificate.Extensions
  ) throws -> Certificate {
    let day: TimeInterval = 24 * 60 * 60
    let now = Date()
    return try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key, notValidBefore: now - day,
      notValidAfter: now + 365 * day, issuer: issuer, subject: subject, extensions: extensions,
      issuerPrivateKey: issuerKey)
  }
}
