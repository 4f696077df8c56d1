internal import CNettle

/// The SHA-256 (FIPS 180-4) of a session's secret: all that the cluster's objects hold of it.
public struct SecretDigest: Sendable, Hashable {
  /// The 32 bytes.
  public let bytes: [UInt8]

  /// The digest of a secret.
  public init(of secret: [UInt8]) {
    var state = sha256_ctx()
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
    nettle_sha256_init(&state)
    nettle_sha256_update(&state, secret.count, secret)
    nettle_sha256_digest(&state, digest.count, &digest)
    bytes = digest
  }

  /// Reads the hexadecimal form; `nil` unless it is 64 hexadecimal digits.
  public init?(hexadecimal text: String) {
    let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue.map(UInt8.init) }
    guard text.utf8.count == 64, digits.count == 64 else { return nil }
    bytes = stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// The form that the agent's command line takes: 64 lower-case hexadecimal digits.
  public var hexadecimal: String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xf)]] })
  }

  /// Whether this is the secret's digest. Takes the same time wherever they differ.
  public func matches(_ secret: [UInt8]) -> Bool {
    let other = SecretDigest(of: secret).bytes
    return zip(bytes, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
