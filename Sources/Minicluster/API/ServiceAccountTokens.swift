internal import Crypto
internal import DevrunCore
internal import FoundationEssentials

/// Issues and checks the tokens of service accounts: JSON Web Tokens (RFC 7519), signed by a key of this process.
///
/// A real cluster signs with a key pair, whose public part it publishes. Here the API server is the only one that checks
/// tokens, so that one secret key suffices (HS256).
struct ServiceAccountTokens: Sendable {
  /// Who issues the tokens, and whom they are for unless they name someone else: the API server.
  static let server = "https://kubernetes.default.svc.cluster.local"

  private let key = SymmetricKey(size: .bits256)
  private static let header = encoded(JSONValue.object(["alg": "HS256", "typ": "JWT"]).text)

  /// A token for a service account, valid for a time from now on.
  func token(for name: String, in namespace: String, lifetime: TimeInterval, audience: String) -> String {
    let now = Date().timeIntervalSince1970
    let claims: JSONValue = [
      "iss": .string(Self.server),
      "sub": .string(User.serviceAccount(name, in: namespace).name),
      "aud": [.string(audience)], "iat": .int(Int64(now)), "nbf": .int(Int64(now)),
      "exp": .int(Int64(now + lifetime)),
      "kubernetes.io": ["namespace": .string(namespace), "serviceaccount": ["name": .string(name)]],
    ]
    let text = Self.header + "." + Self.encoded(claims.text)
    return text + "." + Self.encoded(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
  }

  /// The user of a token; `nil` for a token that is not of this cluster, has expired, or is for someone else.
  func user(of token: String) -> User? {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let signature = Self.decoded(parts[2]), let bytes = Self.decoded(parts[1]) else {
      return nil
    }
    let text = Array("\(parts[0]).\(parts[1])".utf8)
    guard HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: text, using: key),
      let claims = try? JSONValue(text: bytes), let expiry = claims["exp"]?.int,
      Double(expiry) > Date().timeIntervalSince1970, claims["aud"] == [.string(Self.server)],
      let namespace = claims[path: "kubernetes.io", "namespace"]?.string,
      let name = claims[path: "kubernetes.io", "serviceaccount", "name"]?.string
    else { return nil }
    return .serviceAccount(name, in: namespace)
  }

  /// Base64 for URLs, without padding (RFC 7515, section 2).
  private static func encoded(_ bytes: some Sequence<UInt8>) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  private static func decoded(_ text: Substring) -> Data? {
    var text = String(text).replacing("-", with: "+").replacing("_", with: "/")
    text += String(repeating: "=", count: (4 - text.count % 4) % 4)
    return Data(base64Encoded: text)
  }
}
