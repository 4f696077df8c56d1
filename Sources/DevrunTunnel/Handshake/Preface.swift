// The preface: what both ends say before a connection carries HTTP/2.
//
// devrun dials the agent's control port through a port-forward, and sends
//
//     offset  bytes  meaning
//     0       6      "devrun"
//     6       1      protocol version
//     7       2      length of what follows, most significant byte first
//     9       1      role of this connection (see `ConnectionRole`)
//     10      16     attachment: random, the same for all connections of one tunnel
//     26      32     the session's secret
//
// and the agent answers
//
//     0       6      "devrun"
//     6       1      the agent's protocol version
//     7       2      length of what follows, most significant byte first
//     9       1      status: 0 accepted, else the reason (see `PrefaceRefusal`)
//     10      n      a sentence for people, UTF-8
//
// The first nine bytes mean the same in every version, so that ends of different versions can tell each other so.
// Bytes after those that a version knows are ignored by it. After an acceptance the connection speaks HTTP/2
// (RFC 9113) with prior knowledge; after a refusal the agent closes it.

/// What one connection of a tunnel is for.
public enum ConnectionRole: UInt8, Sendable, Hashable, CaseIterable {
  /// devrun is the HTTP/2 client: it opens the streams.
  case outbound = 1
  /// The agent is the HTTP/2 client, although devrun dialled.
  case inbound = 2
}

/// Why the agent turns a connection away.
public enum PrefaceRefusal: UInt8, Sendable, Hashable, CaseIterable {
  /// The secret is not this session's.
  case wrongSecret = 1
  /// The agent does not speak this version of the protocol.
  case unsupportedVersion = 2
  /// What came is no preface.
  case malformed = 3
}

/// What devrun says first on a connection.
public struct Preface: Sendable, Hashable {
  /// The version of the protocol that this code speaks.
  public static let currentVersion: UInt8 = 1
  /// The number of bytes of a secret.
  public static let secretLength = 32
  /// The number of bytes of an attachment's name.
  public static let attachmentLength = 16

  /// The sender's protocol version.
  public var version: UInt8
  /// What the connection is for.
  public var role: ConnectionRole
  /// The tunnel that the connection belongs to, `attachmentLength` bytes.
  public var attachment: [UInt8]
  /// The session's secret, `secretLength` bytes.
  public var secret: [UInt8]

  /// A preface of this code's version.
  public init(role: ConnectionRole, attachment: [UInt8], secret: [UInt8], version: UInt8 = currentVersion) {
    self.version = version
    self.role = role
    self.attachment = attachment
    self.secret = secret
  }

  /// The bytes on the wire.
  public var bytes: [UInt8] { PrefaceFrame.encode(version: version, body: [role.rawValue] + attachment + secret) }
}

/// What the agent says first on a connection.
public enum PrefaceAnswer: Sendable, Hashable {
  /// HTTP/2 follows.
  case accepted(version: UInt8)
  /// The connection ends here. The code is kept as a number: a newer agent may have more reasons.
  case refused(version: UInt8, code: UInt8, text: String)

  /// The bytes on the wire.
  public var bytes: [UInt8] {
    switch self {
    case .accepted(let version): PrefaceFrame.encode(version: version, body: [0])
    case .refused(let version, let code, let text):
      PrefaceFrame.encode(version: version, body: [code] + Array(text.utf8.prefix(PrefaceFrame.maximumBody - 1)))
    }
  }
}

/// Why bytes are no preface.
public enum PrefaceError: Error, Sendable, Hashable {
  /// They do not begin with the protocol's name.
  case notOurs
  /// The sender speaks this version, and not ours.
  case version(UInt8)
  /// The length or the role is none that the version has.
  case malformed
}

/// What both directions have in common: name, version and length.
enum PrefaceFrame {
  static let magic = Array("devrun".utf8)
  static let headLength = magic.count + 3
  /// Nothing in a preface is longer. An unknown peer cannot make us hold more.
  static let maximumBody = 512

  static func encode(version: UInt8, body: [UInt8]) -> [UInt8] {
    magic + [version, UInt8(body.count >> 8), UInt8(body.count & 0xff)] + body
  }
}
