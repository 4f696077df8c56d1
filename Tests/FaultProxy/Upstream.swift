internal import DevrunConfig
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import TestSupport

/// The API server behind the proxy, and who the proxy is to it.
struct Upstream: Sendable {
  let host: String
  let port: Int
  /// The value of `Host`.
  let authority: String
  /// The value of `Authorization`; `nil` if a client certificate is all.
  let authorization: String?
  private let tls: NIOSSLContext?
  private let serverName: String?

  /// - Throws: `TestFailure` if the access is of a kind that the proxy does not have: a path in the server's URL, a proxy
  ///   on the way, or credentials that are renewed.
  init(_ access: ClusterAccess) throws {
    let isSecure = access.server.hasPrefix("https://")
    guard let scheme = access.server.firstRange(of: "://"), access.proxyURL == nil else {
      throw TestFailure("the server \(access.server) cannot be reached by the proxy")
    }
    authority = String(access.server[scheme.upperBound...])
    guard !authority.contains("/") else { throw TestFailure("the proxy has no paths: \(access.server)") }
    let parts = authority.split(separator: ":")
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      host = String(authority[authority.index(after: authority.startIndex)..<end])
      port = Int(authority[authority.index(after: end)...].dropFirst()) ?? (isSecure ? 443 : 80)
    } else {
      host = parts.first.map(String.init) ?? ""
      port = parts.count > 1 ? Int(parts[1]) ?? 0 : isSecure ? 443 : 80
    }
    switch access.credentials.authorization {
    case nil: authorization = nil
    case .token(let token): authorization = "Bearer \(token)"
    case let other?: throw TestFailure("the proxy has no credentials of this kind: \(other)")
    }
    guard isSecure else { (tls, serverName) = (nil, nil); return }
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.applicationProtocols = ["http/1.1"]
    if access.insecureSkipTLSVerify { configuration.certificateVerification = .none }
    if let authority = access.certificateAuthority {
      configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
    }
    if let certificate = access.credentials.clientCertificate {
      configuration.certificateChain =
        try NIOSSLCertificate.fromPEMBytes(certificate.certificate).map { .certificate($0) }
      configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: certificate.key, format: .pem))
    }
    tls = try NIOSSLContext(configuration: configuration)
    let name = access.tlsServerName ?? host
    // Names alone are sent (RFC 6066 section 3); an address is compared with the one that was connected to.
    serverName = (try? SocketAddress(ipAddress: name, port: 0)) == nil ? name : nil
  }

  /// Connects. `add` adds the handlers behind TLS.
  func connect(
    on loop: any EventLoop, _ add: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void
  ) -> EventLoopFuture<any Channel> {
    ClientBootstrap(group: loop)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(try NIOSSLClientHandler(context: tls, serverHostname: serverName)) }
          try add(pipeline)
        }
      }
      .connect(host: host, port: port)
  }
}
