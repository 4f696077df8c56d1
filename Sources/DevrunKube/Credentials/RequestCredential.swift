import DevrunConfig

/// What one request shows of who the user is. It holds secrets and has no description on purpose.
struct RequestCredential: Sendable {
  /// The value of the `Authorization` header, if there is one.
  var authorization: String?
  /// The certificate for the TLS handshake, if there is one.
  var clientCertificate: Credentials.ClientCertificate?
  /// PEM text of the certificates that the server's is verified with; `nil` means those that the system trusts.
  var certificateAuthority: [UInt8]?
  /// Counts the changes: a server's refusal is of one generation, and by then there may be a newer one.
  var generation = 0
}
