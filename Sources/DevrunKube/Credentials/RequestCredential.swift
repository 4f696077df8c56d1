import DevrunConfig

/// What one request shows of who the user is. It holds secrets and has no description on purpose.
struct RequestCredential: Sendable {
  /// The value of the `Authorization` header, if there is one.
  var authorization: String?
  /// The certificate for the TLS handshake, if there is one.
  var clientCertificate: Credentials.ClientCertificate?
  /// Counts the changes: a server's refusal is of one generation, and by then there may be a newer one.
  var generation = 0
}
