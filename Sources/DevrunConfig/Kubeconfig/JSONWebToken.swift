internal import DevrunCore

/// The part of a JSON Web Token (RFC 7519) that its holder may read.
enum JSONWebToken {
  /// When a token ends, in seconds since 1970; `nil` if the text is no token, or one without an end.
  static func expiration(of token: String) -> Int64? {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let claims = claims(String(parts[1])) else { return nil }
    switch claims["exp"] {
    case .int(let seconds): return seconds
    case .double(let seconds): return Int64(exactly: seconds.rounded(.down))
    default: return nil
    }
  }

  /// The claims, which are JSON in base64 with the letters of URLs and without padding (RFC 4648 section 5).
  private static func claims(_ part: String) -> JSONValue? {
    let letters = part.replacing("-", with: "+").replacing("_", with: "/")
    let padding = String(repeating: "=", count: (4 - letters.utf8.count % 4) % 4)
    guard let bytes = Base64.decode(letters + padding) else { return nil }
    return try? JSONValue(text: bytes)
  }
}
