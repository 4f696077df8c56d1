import DevrunConfig
import DevrunCore
import NIOSSL

/// How TLS is spoken with the API server.
///
/// What the server's certificate is checked against is one of two. A name is sent as SNI and checked by NIOSSL. An IP
/// address has no place in SNI; NIOSSL checks it by the address that the socket is connected to, which is the wrong
/// one where a proxy is between or `tls-server-name` is an address. For these cases `addressToCheck` is set: the chain
/// is verified by NIOSSL as ever, and the address by `CertificateAddressCheck` before the first request is sent.
struct TLSSettings: Sendable {
  /// The name for SNI and the certificate's check; `nil` where an address is checked.
  let serverName: String?
  /// The address that the certificate must be for, where NIOSSL cannot check it.
  let addressToCheck: IPAddress?
  private let base: TLSConfiguration

  /// The settings for a server behind a proxy or not. Throws `KubeError.configuration` where the cluster's
  /// certificate authority cannot be read.
  init(server: ServerURL, access: ClusterAccess, hasProxy: Bool) throws(KubeError) {
    let overridden = access.tlsServerName.flatMap { $0.isEmpty ? nil : $0 }
    let identity = overridden ?? server.host
    let address = IPAddress(identity)
    serverName = address == nil ? identity : nil
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    if access.insecureSkipTLSVerify {
      configuration.certificateVerification = .none
      addressToCheck = nil
    } else if address != nil, hasProxy || overridden != nil {
      configuration.certificateVerification = .noHostnameVerification
      addressToCheck = address
    } else {
      addressToCheck = nil
    }
    if let authority = access.certificateAuthority, !access.insecureSkipTLSVerify {
      do {
        let certificates = try NIOSSLCertificate.fromPEMBytes(authority)
        guard !certificates.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
        configuration.trustRoots = .certificates(certificates)
      } catch {
        throw .configuration(
          what: "the certificate authority of context '\(access.contextName)' cannot be read",
          why: "it holds no PEM certificate", remedy: "check certificate-authority(-data) of the cluster")
      }
    }
    base = configuration
  }

  /// The configuration for a connection that shows the given client certificate.
  ///
  /// Throws `CredentialError.clientCertificate` where it or its key cannot be read.
  func configuration(clientCertificate: Credentials.ClientCertificate?) throws(CredentialError) -> TLSConfiguration {
    var configuration = base
    guard let clientCertificate else { return configuration }
    do {
      let chain = try NIOSSLCertificate.fromPEMBytes(clientCertificate.certificate)
      guard !chain.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
      configuration.certificateChain = chain.map { .certificate($0) }
    } catch {
      throw .clientCertificate(problem: "the certificate is no PEM certificate")
    }
    do {
      configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: clientCertificate.key, format: .pem))
    } catch {
      let text = String(decoding: clientCertificate.key, as: UTF8.self)
      throw .clientCertificate(
        problem: text.contains("ENCRYPTED")
          ? "its key is protected by a passphrase, which is not supported" : "its key is no PEM private key")
    }
    return configuration
  }
}
