internal import DevrunCore
import AsyncHTTPClient
internal import DevrunSystem
import Glibc
import NIOCore
import NIOPosix
import NIOSOCKS
import NIOSSL

extension TransportFailure {
  /// What an error of the transport's libraries means.
  init(_ error: any Error) {
    switch error {
    case let failure as TransportFailure: self = failure
    case let error as NIOConnectionError: self.init(connection: error)
    case let error as IOError: self.init(errno: error.errnoCode)
    case let error as HTTPClientError: self.init(client: error)
    case let error as SOCKSError.ConnectionFailed: self.init(reply: error.reply)
    case ChannelError.connectTimeout: self = .connectTimeout
    case let error as ChannelError: self = .dropped("\(error)")
    case is SocketAddressError: self = .nameNotFound(host: "\(error)")
    case NIOSSLError.handshakeFailed(let cause): self.init(tls: cause)
    case NIOSSLError.uncleanShutdown: self = .dropped("the other side ended TLS without saying so")
    case NIOSSLError.unableToValidateCertificate, NIOSSLError.noCertificateToValidate:
      self = .certificateNotTrusted("the server's certificate does not fit the server's address")
    case let error as NIOSSLExtraError where error == .failedToValidateHostname:
      self = .certificateNotTrusted("the certificate is for another name than the server's")
    case let error as BoringSSLError: self.init(tls: error)
    case is NIOSSLError, is NIOSSLExtraError: self = .tls(.other("\(error)"))
    default: self = .other("\(error)")
    }
  }

  private init(connection error: NIOConnectionError) {
    // The names' failures count only where there was no address to try.
    if let cause = error.connectionErrors.last?.error {
      self.init(cause)
    } else {
      self = .nameNotFound(host: error.host)
    }
  }

  private init(errno code: CInt) {
    let words = Errno(rawValue: code).description
    switch code {
    case ECONNREFUSED: self = .refused
    case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL: self = .unreachable(words)
    case ETIMEDOUT: self = .connectTimeout
    case ECONNRESET, EPIPE, ECONNABORTED, ENOTCONN: self = .dropped(words)
    default: self = .other(words)
    }
  }

  private init(client error: HTTPClientError) {
    switch error {
    case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout: self = .connectTimeout
    case .readTimeout, .writeTimeout, .deadlineExceeded: self = .responseTimeout
    case .remoteConnectionClosed: self = .dropped("the other side closed it")
    case .proxyAuthenticationRequired: self = .proxy("the proxy wants a user and a password (407)")
    // The status is lost here. 502, 503 and 504 pass, and 403 may be the answer of a proxy that has just started.
    case .invalidProxyResponse: self = .proxy("the proxy does not let this connection through", isTransient: true)
    case .httpProxyHandshakeTimeout, .socksHandshakeTimeout:
      self = .proxy("the proxy does not answer", isTransient: true)
    // The description may quote a header that cannot be sent, with the credentials in it.
    default: self = .other(error.shortDescription)
    }
  }

  private init(reply: SOCKSServerReply) {
    let passing: [SOCKSServerReply] = [.serverFailure, .networkUnreachable, .hostUnreachable, .refused, .ttlExpired]
    self = .proxy("the SOCKS proxy cannot connect to the server: \(reply)", isTransient: passing.contains(reply))
  }

  private init(tls cause: BoringSSLError) {
    if case .sslError(let stack) = cause, stack.contains(.eofDuringHandshake) {
      self = .dropped("the other side closed it while TLS was being set up")
      return
    }
    let reasons = TLSProblem.reasons(in: cause)
    if reasons.contains("CERTIFICATE_VERIFY_FAILED") {
      self = .certificateNotTrusted("it is not signed by the certificate authority that is configured, or has expired")
    } else {
      self = .tls(TLSProblem(reasons))
    }
  }
}
