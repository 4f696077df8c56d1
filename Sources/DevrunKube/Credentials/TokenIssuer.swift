// The issuer of a user's tokens (OpenID Connect), asked as kubectl asks it.
//
// The issuer's URL leads to a document that names the token endpoint (OpenID Connect Discovery 1.0). The token endpoint
// gives new tokens for a refresh token (RFC 6749 section 6). The client's name and password go into the `Authorization`
// header at first. Issuers that do not take them from there get them in the body.

import DevrunConfig
import DevrunCore
internal import DevrunSystem
import Glibc
import NIOCore
import NIOHTTP1

/// The tokens that an issuer gave.
struct IssuedTokens: Sendable {
  /// The id-token; `nil` if there was none.
  var idToken: String?
  /// A refresh token; `nil` if the old one stays good.
  var refreshToken: String?
}

/// An issuer of tokens.
struct TokenIssuer: Sendable {
  /// What tokens are renewed with.
  let refresh: Credentials.IDToken.Refresh
  /// The user's environment.
  let environment: EnvironmentVariables
  /// How devrun uses the API.
  let options: KubeClient.Options
  /// The event loops.
  let group: any EventLoopGroup

  private static let mostRedirections = 3

  /// Asks for new tokens. Until the refresh token is sent, cancelling ends this. From then on the answer is awaited in any
  /// case: the issuer may have replaced the refresh token.
  ///
  /// Throws `CredentialError.idTokenNotRenewed`, or `CancellationError`.
  func tokens() async throws -> IssuedTokens {
    do {
      guard !refresh.issuer.isEmpty else { throw IssuerProblem.configuration("idp-issuer-url is missing") }
      guard !refresh.clientID.isEmpty else { throw IssuerProblem.configuration("client-id is missing") }
      let connection = IssuerConnection(
        environment: environment, options: options, group: group, certificateAuthority: try certificateAuthority())
      let endpoint = try await tokenEndpoint(connection)
      return try await Task { try await tokens(from: endpoint, connection) }.value
    } catch let problem as IssuerProblem {
      throw CredentialError.idTokenNotRenewed(issuer: IssuerURL(refresh.issuer)?.server.display, problem: problem)
    }
  }

  private func certificateAuthority() throws(IssuerProblem) -> [UInt8]? {
    var text = refresh.certificateAuthority
    if text == nil, let path = refresh.certificateAuthorityFile {
      do throws(Errno) {
        text = try Descriptor.open(RawString(path), O_RDONLY).readToEnd(limit: 16 << 20)
      } catch {
        throw .configuration("idp-certificate-authority: \(path) cannot be read: \(error)")
      }
    }
    if let text, TrustRoots.certificates(inPEM: text).isEmpty {
      throw .configuration("idp-certificate-authority(-data) holds no PEM certificate")
    }
    return text
  }

  private func tokenEndpoint(_ connection: IssuerConnection) async throws -> IssuerURL {
    let issuer = refresh.issuer.hasSuffix("/") ? String(refresh.issuer.dropLast()) : refresh.issuer
    guard var url = IssuerURL(issuer + "/.well-known/openid-configuration") else {
      throw IssuerProblem.configuration("idp-issuer-url is no https URL")
    }
    var answer = try await connection.send(.GET, to: url)
    for _ in 0..<Self.mostRedirections where [301, 302, 303, 307, 308].contains(answer.status) {
      guard let next = answer.headers.first(name: "Location").flatMap(url.redirected) else {
        throw IssuerProblem.answer("it redirects to another server")
      }
      url = next
      answer = try await connection.send(.GET, to: url)
    }
    guard answer.status == 200 else {
      throw IssuerProblem.answer("/.well-known/openid-configuration: HTTP status \(answer.status)")
    }
    guard let json = try? JSONValue(text: answer.body), let text = json["token_endpoint"]?.string else {
      throw IssuerProblem.answer("/.well-known/openid-configuration names no token_endpoint")
    }
    // What is verified from the beginning stays verified.
    guard let endpoint = IssuerURL(text), endpoint.server.scheme == "https" || url.server.scheme == "http" else {
      throw IssuerProblem.answer("the token_endpoint is no https URL")
    }
    return endpoint
  }

  private func tokens(from endpoint: IssuerURL, _ connection: IssuerConnection) async throws -> IssuedTokens {
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.refreshToken)]
    let client = "\(Self.encoded(refresh.clientID)):\(Self.encoded(refresh.clientSecret))"
    var answer = try await connection.send(
      .POST, to: endpoint, headers: Self.headers(authorization: "Basic " + base64(client.utf8)), body: Self.body(form))
    if (400..<500).contains(answer.status), Self.errorCode(of: answer) != IssuerProblem.invalidGrant {
      var form = form + [("client_id", refresh.clientID)]
      if !refresh.clientSecret.isEmpty { form.append(("client_secret", refresh.clientSecret)) }
      answer = try await connection.send(.POST, to: endpoint, headers: Self.headers(), body: Self.body(form))
    }
    guard (200..<300).contains(answer.status) else {
      throw IssuerProblem.refused(status: answer.status, code: Self.errorCode(of: answer))
    }
    guard let json = try? JSONValue(text: answer.body), case .object = json else {
      throw IssuerProblem.answer("it is no JSON")
    }
    if let code = Self.errorCode(of: answer) { throw IssuerProblem.refused(status: answer.status, code: code) }
    func token(_ name: String) -> String? {
      json[name]?.string.flatMap(HeaderText.token).flatMap { $0.isEmpty ? nil : $0 }
    }
    return IssuedTokens(idToken: token("id_token"), refreshToken: token("refresh_token"))
  }

  /// The error's code, if it is one of those that are known (RFC 6749 section 5.2, OpenID Connect Core 3.1.2.6). Other
  /// texts are not repeated: they may hold a token.
  private static func errorCode(of answer: IssuerConnection.Answer) -> String? {
    guard let json = try? JSONValue(text: answer.body), let code = json["error"]?.string else { return nil }
    let known = [
      "invalid_request", "invalid_client", IssuerProblem.invalidGrant, "unauthorized_client", "unsupported_grant_type",
      "invalid_scope", "access_denied", "server_error", "temporarily_unavailable", "interaction_required",
      "login_required", "consent_required",
    ]
    return known.contains(code) ? code : "an error of its own"
  }

  private static func headers(authorization: String? = nil) -> HTTPHeaders {
    var headers: HTTPHeaders = ["Content-Type": "application/x-www-form-urlencoded"]
    if let authorization { headers.add(name: "Authorization", value: authorization) }
    return headers
  }

  private static func body(_ form: [(String, String)]) -> [UInt8] {
    Array(form.map { "\($0)=\(encoded($1))" }.joined(separator: "&").utf8)
  }

  /// A text in the encoding of forms (application/x-www-form-urlencoded), as Go writes it.
  private static func encoded(_ text: String) -> String {
    PercentEncoding.encode(text.utf8).replacing("%20", with: "+")
  }
}
