import DevrunConfig
import DevrunCore
import DevrunSystem
import Foundation
import NIOConcurrencyHelpers
import NIOHTTP1
import NIOPosix
import TestSupport

@testable import DevrunKube

/// A JSON Web Token that ends at a time, in seconds since 1970.
func webToken(_ expiration: Int, _ signature: String = "c2ln") -> String {
  let claims = Data(#"{"exp":\#(expiration)}"#.utf8).base64EncodedString().replacing("=", with: "")
  return "e30.\(claims).\(signature)"
}

/// The token that ends long after the tests.
let freshToken = webToken(4_000_000_000, "ZnJlc2g")

/// An issuer on loopback, and a kubeconfig whose user has tokens of it.
struct OIDCIssuer {
  let folder: TemporaryFolder
  let server: LoopbackServer
  let warnings = NIOLockedValueBox<[ErrorMessage]>([])
  let secrets = NIOLockedValueBox<[String]>([])

  /// The requests to the token endpoint.
  var asked: [SeenRequest] { server.requests.filter { $0.path == "/token/" } }

  /// - Parameters:
  ///   - answer: the answer of the token endpoint to its nth request.
  static func start(
    _ answer: @escaping @Sendable (SeenRequest, Int) -> [Step]
  ) async throws -> OIDCIssuer {
    let count = NIOLockedValueBox(0)
    let server = try await LoopbackServer.start(tls: try serverTLS(Certificates.shared.get().addressed)) { request, _ in
      if request.path == "/dex/.well-known/openid-configuration" {
        let host = request.headers["Host"].joined()
        return .json(200, ["token_endpoint": .string("https://\(host)/token/?p=1")])
      }
      return answer(
        request,
        count.withLockedValue { count in
          defer { count += 1 }
          return count
        })
    }
    return OIDCIssuer(folder: try TemporaryFolder(), server: server)
  }

  /// Writes the kubeconfig, and reads the access.
  func access(_ idToken: String, refresh: String? = "refresh-1", authority: [UInt8]? = nil) throws -> ClusterAccess {
    let data = base64(try authority ?? Certificates.shared.get().authority)
    try folder.write(
      "config",
      """
      # a comment
      current-context: c
      clusters: [{name: k, cluster: {server: "https://127.0.0.1:1"}}]
      contexts: [{name: c, context: {cluster: k, user: u}}]
      users:
      - name: u
        user:
          auth-provider:
            name: oidc
            config:
              idp-issuer-url: https://127.0.0.1:\(server.port)/dex/
              idp-certificate-authority-data: \(data)
              client-id: "my client"
              client-secret: s3cret&more
              id-token: \(idToken) # another comment
      \(refresh.map { "        refresh-token: '\($0)'" } ?? "")
      """)
    return try Kubeconfig.access(
      from: .init(file: "config", environment: [:], home: nil, workingDirectory: folder.path))
  }

  /// The source of the credentials as a client makes it.
  func source(_ access: ClusterAccess) -> CredentialSource {
    var options = KubeClient.Options.quick
    options.issuerTimeout = .seconds(5)
    let (warnings, secrets) = (warnings, secrets)
    let chosen = options
    let renewal = IDTokenRenewal(
      keepSecret: { new in secrets.withLockedValue { $0 += new } },
      warn: { message in warnings.withLockedValue { $0.append(message) } },
      ask: { refresh in
        try await TokenIssuer(
          refresh: refresh, environment: [:], options: chosen, group: MultiThreadedEventLoopGroup.singleton
        ).tokens()
      })
    return CredentialSource(access, isUsable: { _ in true }, renewal: renewal) { _ in throw CancellationError() }
  }
}
