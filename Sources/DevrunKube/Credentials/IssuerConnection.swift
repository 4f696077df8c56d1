import AsyncHTTPClient
import DevrunConfig
import DevrunCore
internal import DevrunSystem
import NIOCore
import NIOHTTP1

/// Sends requests to an issuer of tokens, each over a connection of its own. The proxy of the environment counts, and that
/// of the cluster does not, as in kubectl.
struct IssuerConnection: Sendable {
  /// The user's environment.
  let environment: EnvironmentVariables
  /// How devrun uses the API: its name, and how long a connection may take.
  let options: KubeClient.Options
  /// The event loops.
  let group: any EventLoopGroup
  /// PEM text of the certificates that the issuer's is verified with; `nil` means those that the system trusts.
  let certificateAuthority: [UInt8]?

  /// The size of the largest answer that is read.
  private static let maximumSize = 1 << 20

  /// An answer of an issuer.
  struct Answer: Sendable {
    /// The status.
    var status: Int
    /// The headers.
    var headers: HTTPHeaders
    /// The body.
    var body: [UInt8]
  }

  /// Sends a request, and reads the answer. Redirections are not followed.
  ///
  /// Throws `IssuerProblem`, or `CancellationError`.
  func send(
    _ method: HTTPMethod, to url: IssuerURL, headers: HTTPHeaders = [:], body: [UInt8]? = nil
  ) async throws -> Answer {
    let access = ClusterAccess(
      server: url.server.display, certificateAuthority: certificateAuthority, contextName: "issuer")
    let configuration: HTTPClient.Configuration
    let relay: ProxyRelay?
    do {
      let tls =
        url.server.scheme == "https"
        ? try TLSSettings(server: url.server, access: access, environment: environment) : nil
      let chosen = try ProxyServer.choose(for: url.server, access: access, environment: environment)
      relay = try KubeClient.relay(
        to: chosen, access: access, environment: environment, options: options, group: group)
      configuration = try KubeClient.httpConfiguration(
        options: options, server: url.server, proxy: relay.map { chosen?.relayed(port: $0.port) } ?? chosen, tls: tls,
        access: access)
    } catch {
      throw IssuerProblem.configuration(
        [error.message.what, error.message.why].compactMap { $0 }.joined(separator: ": "))
    }
    let http = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    let result = await Self.result {
      let server = url.server
      let name = configuration.dnsOverride.keys.first ?? (server.host.contains(":") ? "[\(server.host)]" : server.host)
      var request = HTTPClientRequest(url: "\(server.scheme)://\(name):\(server.port)\(url.target)")
      request.method = method
      request.headers = headers
      request.headers.add(name: "Host", value: server.hostHeader)
      request.headers.add(name: "User-Agent", value: options.userAgent)
      request.headers.add(name: "Accept", value: "application/json")
      if let body { request.body = .bytes(body) }
      let finished = request
      return try await withTimeout(options.issuerTimeout) {
        let response = try await http.execute(finished, deadline: .distantFuture)
        let bytes = try await response.body.collect(upTo: Self.maximumSize)
        return Answer(
          status: Int(response.status.code), headers: response.headers, body: Array(bytes.readableBytesView))
      }
    }
    // What was received counts, whatever closing says.
    try? await http.shutdown()
    try? await relay?.close()
    do {
      return try result.get()
    } catch is NIOTooManyBytesError {
      throw IssuerProblem.answer("it is larger than 1 MiB")
    } catch {
      try Task.checkCancellation()
      throw IssuerProblem.unreachable(relay?.lastFailure ?? TransportFailure(error))
    }
  }

  private static func result<Value>(_ body: () async throws -> Value) async -> Result<Value, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }
}
