internal import DevrunCore
internal import DevrunSystem
internal import FoundationEssentials
internal import Glibc
internal import NIOHTTP1
internal import NIOSSL

/// The keys and certificates of a cluster, and the users that they stand for.
///
/// All are made anew with each cluster, and nothing of them is written but the kubeconfigs.
package struct ClusterIdentities: Sendable {
  /// The certificate of the cluster's authority in PEM: `ca.crt` in pods, and the ConfigMap `kube-root-ca.crt`.
  package let authority: String
  private let server: CertificateAuthority.Issued
  private let clients: [User: CertificateAuthority.Issued]
  private let tokens = ServiceAccountTokens()

  /// New identities. The server's certificate is for this machine's loopback and for the names in the cluster.
  ///
  /// - Parameter serviceAddress: the address of the Service `kubernetes` in the cluster (IPv4).
  package init(serviceAddress: String = "10.98.0.1") throws {
    let authority = try CertificateAuthority()
    self.authority = authority.certificate
    let address = serviceAddress.split(separator: ".").compactMap { UInt8($0) }
    server = try authority.server(
      names: [
        "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
      ],
      addresses: [[127, 0, 0, 1], address].filter { $0.count == 4 })
    clients = [.admin: try authority.client(of: .admin), .developer: try authority.client(of: .developer)]
  }

  /// A service account's bearer token.
  package func token(_ request: TokenRequest) -> String {
    tokens.token(
      for: request.serviceAccount, in: request.namespace, lifetime: Double(request.expirationSeconds),
      audience: request.audience ?? ServiceAccountTokens.server)
  }

  /// The user of a bearer token; `nil` if the token is not valid.
  func user(ofToken token: String) -> User? { tokens.user(of: token) }

  /// The user of a client's certificate, in DER; `nil` for a certificate that this cluster has not issued.
  func user(ofCertificate der: [UInt8]) -> User? { clients.first { $0.value.der == der }?.key }

  /// The user of a request; `nil` if its credentials are not valid.
  func user(of head: HTTPRequestHead, certificate: [UInt8]?) -> User? {
    if let certificate { return self.user(ofCertificate: certificate) }
    guard let header = head.headers.first(name: "Authorization") else { return .anonymous }
    let words = header.split(separator: " ")
    guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
    return self.user(ofToken: String(words[1]))
  }

  /// What the API server's side of TLS is made with. A client may show a certificate, but need not.
  func tlsConfiguration() throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(server.certificate.utf8)).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(server.key.utf8), format: .pem)))
    configuration.certificateVerification = .optionalVerification
    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
    configuration.sendCANameList = true
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return configuration
  }
}

extension ClusterIdentities {
  /// Writes `kubeconfig` (the administrator's) and `developer.kubeconfig` into a folder. Only the owner can read them.
  ///
  /// - Parameter server: the API server's URL.
  /// - Throws: `Errno`
  package func writeKubeconfigs(to folder: String, server: String) throws {
    try write(kubeconfig(of: .admin, server: server), to: folder + "/kubeconfig")
    try write(kubeconfig(of: .developer, server: server), to: folder + "/developer.kubeconfig")
  }

  /// The text of a user's kubeconfig. It is JSON, which every reader of YAML reads.
  package func kubeconfig(of user: User, server: String) -> String {
    guard let client = clients[user] else { preconditionFailure("\(user.name) has no certificate") }
    let document: JSONValue = [
      "apiVersion": "v1", "kind": "Config", "current-context": "minicluster",
      "clusters": [
        [
          "name": "minicluster",
          "cluster": ["server": .string(server), "certificate-authority-data": Self.base64(authority)],
        ]
      ],
      "contexts": [
        [
          "name": "minicluster",
          "context": ["cluster": "minicluster", "user": .string(user.name), "namespace": "default"],
        ]
      ],
      "users": [
        [
          "name": .string(user.name),
          "user": [
            "client-certificate-data": Self.base64(client.certificate), "client-key-data": Self.base64(client.key),
          ],
        ]
      ],
    ]
    return String(decoding: document.text, as: UTF8.self) + "\n"
  }

  private static func base64(_ text: String) -> JSONValue { .string(Data(text.utf8).base64EncodedString()) }

  /// Writes beside the file and renames, so that nobody reads a half.
  private func write(_ text: String, to path: String) throws(Errno) {
    let new = path + ".new"
    // What a start that was cut short has left.
    unlink(new)
    let file = try Descriptor.open(RawString(new), O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    try file.writeAll(text.utf8)
    try system { rename(new, path) }
  }
}
