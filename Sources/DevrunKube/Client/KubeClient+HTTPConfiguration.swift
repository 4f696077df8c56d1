import AsyncHTTPClient
import DevrunConfig
import DevrunCore
import NIOCore
import NIOHTTPCompression
import NIOSSL
internal import DevrunSystem

extension KubeClient {
  /// How the HTTP client is set up.
  static func httpConfiguration(
    options: Options, server: ServerURL, proxy: ProxyServer?, tls: TLSSettings?, access: ClusterAccess
  ) throws(KubeError) -> HTTPClient.Configuration {
    var configuration = HTTPClient.Configuration()
    do {
      configuration.tlsConfiguration = try tls?.configuration(clientCertificate: nil)
    } catch {
      throw .credentials(error, context: access.contextName)
    }
    configuration.httpVersion = .http1Only
    // Credentials go to the server that they are for, not where it points to.
    configuration.redirectConfiguration = .disallow
    configuration.timeout.connect = TimeAmount(options.connectTimeout)
    // An idle watch says nothing until the server ends it.
    configuration.timeout.read = TimeAmount(options.watchTimeout + .seconds(30))
    // The API server keeps idle connections longer than this, so that none is used as it is being closed.
    configuration.connectionPool.idleTimeout = .seconds(30)
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
    // A server that is not there is told at once; what to try again is decided above.
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.decompression = access.disableCompression ? .disabled : .enabled(limit: .size(maximumBodySize))
    if let serverName = tls?.serverName, serverName != server.host {
      configuration.dnsOverride = [serverName: server.host]
    }
    if let proxy {
      configuration.proxy =
        proxy.kind == .socks5
        ? .socksServer(host: proxy.url.host, port: proxy.url.port)
        : .server(
          host: proxy.url.host, port: proxy.url.port,
          authorization: proxy.url.userInfo.map { .basic(username: $0.user, password: $0.password) })
    }
    let identity = tls?.identity
    // The name notwithstanding, this is the one place where a connection can be seen before its first request.
    configuration.http1_1ConnectionDebugInitializer = { channel in
      keepAlive(channel).flatMapThrowing {
        try identity?.check(on: channel)
      }.flatMapError { error in
        channel.close().recover { _ in }.flatMapThrowing { throw error }
      }
    }
    return configuration
  }

  /// The relay to a proxy that is reached over TLS; `nil` where there is no such proxy.
  ///
  /// As kubectl does it, the proxy's certificate is checked against the cluster's certificate authority.
  static func relay(
    to proxy: ProxyServer?, access: ClusterAccess, environment: EnvironmentVariables, options: Options,
    group: any EventLoopGroup
  ) throws(KubeError) -> ProxyRelay? {
    guard let proxy, proxy.kind == .https else { return nil }
    var access = access
    access.tlsServerName = nil
    let tls = try TLSSettings(server: proxy.url, access: access, environment: environment)
    let connector = ServerConnector(
      server: proxy.url, proxy: nil, tls: tls, connectTimeout: TimeAmount(options.connectTimeout))
    do {
      return try ProxyRelay(connector, configuration: try tls.configuration(clientCertificate: nil), group: group)
    } catch {
      throw .configuration(
        what: "the proxy of context '\(access.contextName)' cannot be used",
        why: "a port on loopback to reach it by cannot be had: \(error)", remedy: nil)
    }
  }

  /// The largest answer that is read: a list's page of 500 large objects stays far below.
  static let maximumBodySize = 256 * 1024 * 1024
}
