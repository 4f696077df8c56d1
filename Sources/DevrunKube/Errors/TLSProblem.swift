import NIOSSL

/// Why TLS failed, as far as the TLS library or the other side reports it.
public enum TLSProblem: Sendable, Hashable {
  /// What answers does not speak TLS.
  case notTLS
  /// The server speaks no version of TLS that is safe.
  case oldVersion
  /// The server lets in only those who show a certificate, and none was shown.
  case clientCertificateRequired
  /// The server refused the certificate that was shown, for the given reason.
  case clientCertificateRefused(String)
  /// Client and server have no cipher, curve or kind of signature in common.
  case nothingInCommon
  /// Anything else, in a few words.
  case other(String)

  /// The problem that the reasons of the TLS library stand for.
  init(_ reasons: [String]) {
    self = reasons.lazy.compactMap { Self.known[$0] }.first ?? .other(Self.words(reasons))
  }

  /// The cause in a few words.
  var words: String {
    switch self {
    case .notTLS: "the other side does not speak TLS"
    case .oldVersion: "the server speaks only versions of TLS older than 1.2, which are not safe"
    case .clientCertificateRequired: "the server demands a client certificate, and the user of this context has none"
    case .clientCertificateRefused(let words): "the server does not accept the client certificate: \(words)"
    case .nothingInCommon:
      "the server refuses the handshake: it demands a client certificate, or has no cipher and signature in common"
    case .other(let words): words
    }
  }

  /// What the reader can do.
  var remedy: String? {
    switch self {
    case .notTLS: "check that the server's URL means https"
    case .oldVersion: "ask whoever administers the cluster, or the proxy before it, to allow TLS 1.2"
    case .clientCertificateRequired, .nothingInCommon:
      "check client-certificate and client-key of the user in the kubeconfig, or the credential plugin"
    case .clientCertificateRefused: "it may have expired: log in again"
    case .other: nil
    }
  }

  /// The names of the reasons in an error of the TLS library. The library has no other access to them. What else it
  /// says, such as the place in its own source, is of no use to anybody here.
  static func reasons(in error: BoringSSLError) -> [String] {
    "\(error)".matches(of: /OPENSSL_internal:([A-Z0-9_]+)/).map { String($0.1) }
  }

  private static let known: [String: TLSProblem] = [
    "WRONG_VERSION_NUMBER": .notTLS,
    "HTTP_REQUEST": .notTLS,
    "HTTPS_PROXY_REQUEST": .notTLS,
    "INVALID_ALERT": .notTLS,
    "UNSUPPORTED_PROTOCOL": .oldVersion,
    "TLSV1_ALERT_PROTOCOL_VERSION": .oldVersion,
    "TLSV1_ALERT_CERTIFICATE_REQUIRED": .clientCertificateRequired,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": .nothingInCommon,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": .nothingInCommon,
    "SSLV3_ALERT_NO_CERTIFICATE": .clientCertificateRequired,
    "SSLV3_ALERT_BAD_CERTIFICATE": .clientCertificateRefused("it cannot be verified"),
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": .clientCertificateRefused("its kind is not supported"),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": .clientCertificateRefused("it has been revoked"),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": .clientCertificateRefused("it has expired"),
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": .clientCertificateRefused("it cannot be verified"),
    "TLSV1_ALERT_UNKNOWN_CA": .clientCertificateRefused("the server does not know who signed it"),
    "TLSV1_ALERT_ACCESS_DENIED": .clientCertificateRefused("access is denied"),
  ]

  private static func words(_ reasons: [String]) -> String {
    guard let first = reasons.first else { return "the TLS library gave no reason" }
    return "the TLS library reports: \(first.lowercased().replacing("_", with: " "))"
  }
}
