public import DevrunConfig
public import DevrunCore
public import DevrunSystem
public import NIOCore

import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOHTTP1
import NIOSSL

/// A client of one cluster's API, as one user.
///
/// Requests go over HTTP/1.1. Each connection carries one request at a time, so that a watch, a slow answer or a broken
/// network concerns that connection alone. Ending a request closes its connection.
public final class KubeClient: Sendable {
  /// The namespace that the user works in.
  public let namespace: String
  /// The name of the context in the kubeconfig.
  public let contextName: String
  /// The API server's URL, as it may be shown.
  public let server: String

  /// The name or address of the API server.
  public var serverHost: String { serverURL.host }

  let options: Options
  let serverURL: ServerURL
  let connector: ServerConnector
  let credentials: CredentialSource

  private let tls: TLSSettings?
  private let impersonation: HTTPHeaders
  private let http: HTTPClient
  private let relay: ProxyRelay?
  /// Whether the user's credentials may have a client certificate.
  private let mayShowCertificate: Bool
  private let baseURL: String
  private let access: ClusterAccess
  private let environment: EnvironmentVariables
  private let changedTLS = NIOLockedValueBox<(material: TLSMaterial, tls: TLSConfiguration)?>(nil)

  /// What can be chosen about a client.
  public struct Options: Sendable {
    /// The `User-Agent` of all requests.
    public var userAgent = "devrun"
    /// How long a connection may take to be made.
    public var connectTimeout: Duration = .seconds(10)
    /// How long a request may take from its start to the last byte of its answer.
    public var requestTimeout: Duration = .seconds(30)
    /// After how long the server is asked to end a watch, which is then resumed.
    public var watchTimeout: Duration = .seconds(290)
    /// How often an open port-forward is pinged: load balancers cut what is idle for some minutes.
    public var pingInterval: Duration = .seconds(30)
    /// Returns the process group in which a credential plugin can ask the user on the terminal, `nil` while it cannot.
    /// By default that is this process's own group, if standard input is a terminal that it is in the foreground of.
    public var askingGroup: @Sendable () -> Int32? = standardInputGroup
    /// How long an issuer of tokens may take for an answer.
    public var issuerTimeout: Duration = .seconds(15)
    /// Takes secrets that were not known before, such as renewed tokens, before they are used.
    public var keepSecret: @Sendable ([String]) -> Void = { _ in }
    /// Takes what the user should be warned of.
    public var warn: @Sendable (ErrorMessage) -> Void = { _ in }

    var retries = RetryPolicy()

    /// The defaults.
    public init() {}
  }

  /// A client for a cluster, not to be made on an event loop. Nothing is sent yet.
  ///
  /// `environment` is the user's own: it names the proxy to use, and credential plugins run in it.
  ///
  /// Throws `KubeError.configuration` where the URL, a certificate authority or a proxy cannot be used, and
  /// `KubeError.credentials` where a client certificate cannot.
  public init(
    access: ClusterAccess, environment: EnvironmentVariables, group: any EventLoopGroup, options: Options = Options()
  ) throws(KubeError) {
    guard let url = ServerURL(access.server), url.scheme == "https" || url.scheme == "http" else {
      throw .configuration(
        what: "the server of context '\(access.contextName)' cannot be used",
        why: "'\(access.server)' is no http or https URL", remedy: "check the cluster's server in the kubeconfig")
    }
    let chosenProxy = try ProxyServer.choose(for: url, access: access, environment: environment)
    let tls =
      url.scheme == "https" ? try TLSSettings(server: url, access: access, environment: environment) : nil
    namespace = access.namespace
    contextName = access.contextName
    server = url.display
    serverURL = url
    self.options = options
    self.tls = tls
    mayShowCertificate = access.credentials.mayHaveCertificate
    impersonation = try Self.headers(access.impersonate)
    if let certificate = access.credentials.clientCertificate {
      try Self.check(certificate, tls: tls, context: access.contextName)
    }
    relay = try Self.relay(
      to: chosenProxy, access: access, environment: environment, options: options, group: group)
    let proxy = relay.map { chosenProxy?.relayed(port: $0.port) } ?? chosenProxy
    connector = ServerConnector(
      server: url, proxy: proxy, tls: tls, connectTimeout: TimeAmount(options.connectTimeout))
    let configuration = try Self.httpConfiguration(
      options: options, server: url, proxy: proxy, tls: tls, access: access)
    self.access = access
    self.environment = environment
    let renewal = IDTokenRenewal(keepSecret: options.keepSecret, warn: options.warn) { refresh in
      try await TokenIssuer(refresh: refresh, environment: environment, options: options, group: group).tokens()
    }
    let isUsable: @Sendable (ClusterAccess) -> Bool = { next in
      guard url.scheme == "https" else { return true }
      let tls = try? TLSSettings(server: url, access: next, environment: environment)
      return (try? tls?.configuration(clientCertificate: next.credentials.clientCertificate)) != nil
    }
    credentials = CredentialSource(access, isUsable: isUsable, renewal: renewal) { plugin in
      try await PluginRunner(plugin: plugin, environment: environment, askingGroup: options.askingGroup).run()
    }
    // The name that TLS is about stands in the URL; where it is not the server's, the name is resolved to the server's.
    let name = configuration.dnsOverride.keys.first ?? (url.host.contains(":") ? "[\(url.host)]" : url.host)
    baseURL = "\(url.scheme)://\(name):\(url.port)"
    // Last, because a client that was made must be shut down.
    http = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
  }

  /// Closes all connections. To be called once, when no request is under way; watches that still are fail.
  public func shutdown() async throws {
    try await http.shutdown()
    try await relay?.close()
  }

  /// The headers that say who asks, on whose behalf, and with what.
  func headers(_ credential: RequestCredential) -> HTTPHeaders {
    var headers = impersonation
    headers.add(name: "Host", value: serverURL.hostHeader)
    headers.add(name: "User-Agent", value: options.userAgent)
    if let authorization = credential.authorization { headers.add(name: "Authorization", value: authorization) }
    return headers
  }

  /// The certificates that a TLS configuration is made of.
  private struct TLSMaterial: Hashable {
    var clientCertificate: Credentials.ClientCertificate?
    var certificateAuthority: [UInt8]?
  }

  /// The TLS configuration of a connection for the given credentials; `nil` without TLS. Equal certificates get the
  /// same configuration, by which the connection pool recognises its connections.
  func tlsConfiguration(_ credential: RequestCredential) throws(KubeError) -> TLSConfiguration? {
    guard var tls else { return nil }
    let material = TLSMaterial(
      clientCertificate: credential.clientCertificate, certificateAuthority: credential.certificateAuthority)
    if let known = changedTLS.withLockedValue({ $0 }), known.material == material { return known.tls }
    if material.certificateAuthority != access.certificateAuthority {
      var access = access
      access.certificateAuthority = material.certificateAuthority
      tls = try TLSSettings(server: serverURL, access: access, environment: environment)
    }
    do {
      let configuration = try tls.configuration(clientCertificate: material.clientCertificate)
      changedTLS.withLockedValue { $0 = (material, configuration) }
      return configuration
    } catch {
      throw .credentials(error, context: contextName)
    }
  }

  /// A transport's error as it is told: as the proxy's where there is one and the server was not reached.
  func describe(_ error: any Error) -> TransportFailure {
    var failure = TransportFailure(error)
    // Servers that miss a certificate call it a bad one.
    if case .tls(.clientCertificateRefused) = failure, !mayShowCertificate {
      failure = .tls(.clientCertificateRequired)
    }
    if let cause = relay?.lastFailure, failure.isOfUnknownCause {
      return .proxy("it cannot be reached over TLS: \(cause.words)", isTransient: cause.isTransient)
    }
    return connector.proxy?.describe(failure) ?? failure
  }

  /// Starts a request and gives the response when its head has come.
  func execute(
    _ method: HTTPMethod, _ pathAndQuery: String, credential: RequestCredential, headers extra: HTTPHeaders,
    body: [UInt8]?
  ) async throws -> HTTPClientResponse {
    var request = HTTPClientRequest(url: baseURL + serverURL.path + pathAndQuery)
    request.method = method
    request.headers = headers(credential)
    request.headers.add(contentsOf: extra)
    if let body { request.body = .bytes(body) }
    if credential.clientCertificate != nil || credential.certificateAuthority != access.certificateAuthority {
      request.tlsConfiguration = try tlsConfiguration(credential)
    }
    return try await http.execute(request, deadline: .distantFuture)
  }

  /// Reads the kubeconfig's own client certificate early, so that a mistake in it is told before anything is sent.
  private static func check(
    _ certificate: Credentials.ClientCertificate, tls: TLSSettings?, context: String
  ) throws(KubeError) {
    do {
      _ = try tls?.configuration(clientCertificate: certificate)
    } catch {
      throw .credentials(error, context: context)
    }
  }

  private static func headers(_ impersonation: Impersonation?) throws(KubeError) -> HTTPHeaders {
    var headers = HTTPHeaders()
    guard let impersonation else { return headers }
    headers.add(name: "Impersonate-User", value: impersonation.user)
    if let uid = impersonation.uid { headers.add(name: "Impersonate-Uid", value: uid) }
    for group in impersonation.groups { headers.add(name: "Impersonate-Group", value: group) }
    for (key, values) in impersonation.extra.sorted(by: { $0.key < $1.key }) {
      // The server undoes the percent-encoding: a header's name has fewer characters than a key may have.
      let name = "Impersonate-Extra-\(PercentEncoding.encode(key.utf8))"
      for value in values { headers.add(name: name, value: value) }
    }
    guard headers.allSatisfy({ HeaderText.isValue($0.value) }) else {
      throw .configuration(
        what: "the user to act as cannot be used",
        why: "a name or group holds a line break or another control character",
        remedy: "check as, as-uid, as-groups and as-user-extra of the user in the kubeconfig")
    }
    return headers
  }
}

extension Credentials {
  /// Whether there is a client certificate, or a credential plugin may give one.
  fileprivate var mayHaveCertificate: Bool {
    if case .exec = authorization { true } else { clientCertificate != nil }
  }
}
