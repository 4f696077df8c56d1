import DevrunConfig
import DevrunCore
internal import DevrunSystem
import NIOSSL

/// How TLS is spoken with the API server, or with a proxy before it.
struct TLSSettings: Sendable {
  /// The name for SNI; `nil` for a server that is named by its address.
  let serverName: String?
  /// What the server's certificate must be for; `nil` if the kubeconfig has the certificate taken unchecked.
  let identity: ServerIdentity?
  private let base: TLSConfiguration

  /// The settings for a server. `environment` is the user's own: it names the certificates that are trusted if the
  /// kubeconfig names none.
  ///
  /// Throws `KubeError.configuration` if the cluster's certificate authority or `tls-server-name` cannot be used.
  init(server: ServerURL, access: ClusterAccess, environment: EnvironmentVariables) throws(KubeError) {
    let overridden = access.tlsServerName.flatMap { $0.isEmpty ? nil : $0 }
    let wanted = ServerIdentity(overridden ?? server.host)
    if case .name(let name) = wanted {
      guard (1...255).contains(name.utf8.count), HeaderText.isPrintable(name) else {
        throw .configuration(
          what: "the cluster of context '\(access.contextName)' cannot be used", why: "its name is no host name",
          remedy: "check server and tls-server-name of the cluster in the kubeconfig")
      }
      // SNI has no dot at the end of a name (RFC 6066 section 3).
      serverName = name.hasSuffix(".") ? String(name.dropLast()) : name
    } else {
      serverName = nil
    }
    identity = access.insecureSkipTLSVerify ? nil : wanted
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    configuration.verifySignatureAlgorithms = Self.signatures
    configuration.certificateVerification = access.insecureSkipTLSVerify ? .none : .noHostnameVerification
    if !access.insecureSkipTLSVerify {
      if let authority = access.certificateAuthority {
        let certificates = TrustRoots.certificates(inPEM: authority)
        guard !certificates.isEmpty else {
          throw .configuration(
            what: "the certificate authority of context '\(access.contextName)' cannot be read",
            why: "it holds no PEM certificate", remedy: "check certificate-authority(-data) of the cluster")
        }
        configuration.trustRoots = .certificates(certificates)
      } else if let certificates = TrustRoots.named(by: environment) {
        guard !certificates.isEmpty else {
          throw .configuration(
            what: "there are no certificates to verify the cluster of context '\(access.contextName)' with",
            why: "SSL_CERT_FILE or SSL_CERT_DIR is set, and no PEM certificate can be read there",
            remedy: "correct or unset these variables, or set certificate-authority of the cluster")
        }
        configuration.trustRoots = .certificates(certificates)
      }
    }
    base = configuration
  }

  /// The configuration for a connection that shows the given client certificate.
  ///
  /// Throws `CredentialError.clientCertificate` if it or its key cannot be used.
  func configuration(clientCertificate: Credentials.ClientCertificate?) throws(CredentialError) -> TLSConfiguration {
    var configuration = base
    if let clientCertificate {
      configuration.sslContextCallback = try ClientIdentity(clientCertificate).callback
    }
    return configuration
  }

  /// The signatures that a server may make: all that kubectl takes. NIOSSL's own list lacks Ed25519 and P-521.
  private static let signatures: [SignatureAlgorithm] = [
    .ecdsaSecp256R1Sha256, .rsaPssRsaeSha256, .rsaPkcs1Sha256, .ed25519, .ecdsaSecp384R1Sha384, .rsaPssRsaeSha384,
    .rsaPkcs1Sha384, .ecdsaSecp521R1Sha512, .rsaPssRsaeSha512, .rsaPkcs1Sha512, .rsaPkcs1Sha1,
  ]
}
