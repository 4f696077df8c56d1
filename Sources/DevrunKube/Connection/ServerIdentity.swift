// What a server's certificate must be for.
//
// The rules are those of kubectl (Go's crypto/x509). A name is compared with the certificate's DNS names only, and an
// address with its IP addresses only. The common name does not count. NIOSSL is more lenient: it also compares the
// address that the socket is connected to, and falls back to the common name. Therefore NIOSSL verifies the chain alone,
// and the names are checked here, after the handshake and before the first request is sent.

import DevrunCore
import NIOCore
import NIOSSL

/// The name or the address that a server's certificate must be for.
enum ServerIdentity: Sendable, Hashable {
  /// A name, in lower case.
  case name(String)
  /// An IP address.
  case address(IPAddress)

  /// The identity that a host of a URL or a `tls-server-name` stands for.
  init(_ host: String) {
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    let bare = isBracketed ? String(host.dropFirst().dropLast()) : host
    self = IPAddress(bare).map { .address($0) } ?? .name(host.lowercased())
  }

  /// Checks the certificate of a channel whose handshake is over; on its event loop.
  ///
  /// Throws `TransportFailure.certificateNotTrusted` if the certificate does not have this name or address.
  func check(on channel: any Channel) throws {
    let certificate = try channel.pipeline.syncOperations.nioSSL_peerCertificate()
    let names = certificate.map { CertificateNames($0) } ?? CertificateNames()
    guard names.contain(self) else {
      throw TransportFailure.certificateNotTrusted("the certificate is not for \(words), but for \(names)")
    }
  }

  private var words: String {
    switch self {
    case .name(let name): "the name \(name)"
    case .address(let address): "the address \(address)"
    }
  }
}

/// The names and addresses that a certificate is for: its subject alternative names.
struct CertificateNames: Sendable {
  /// The DNS names as the certificate has them.
  var dnsNames: [String] = []
  /// The IP addresses.
  var addresses: [IPAddress] = []

  /// No names at all.
  init() {}

  /// The names of a certificate.
  init(_ certificate: NIOSSLCertificate) {
    for name in certificate._subjectAlternativeNames() {
      switch name.nameType {
      // A DNS name is ASCII (RFC 5280 section 4.2.1.6); letters that fold to ASCII would match.
      case .dnsName where name.contents.allSatisfy { $0 < 0x80 }:
        dnsNames.append(String(decoding: name.contents, as: UTF8.self))
      case .ipAddress: if let address = IPAddress(bytes: Array(name.contents)) { addresses.append(address) }
      default: continue
      }
    }
  }

  /// Whether the certificate is for a name or an address.
  func contain(_ identity: ServerIdentity) -> Bool {
    switch identity {
    case .address(let address): addresses.contains(address)
    case .name(let name): dnsNames.contains { Self.matches(pattern: $0, name: name) }
    }
  }

  /// Whether a DNS name of a certificate covers a server's name. `*` stands for the first label, and for one label only.
  /// Names that are no host names are compared as they are.
  private static func matches(pattern: String, name: String) -> Bool {
    let pattern = pattern.lowercased()
    let plain = name.hasSuffix(".") ? String(name.dropLast()) : name
    guard let wanted = labels(of: plain, isPattern: false), let offered = labels(of: pattern, isPattern: true) else {
      return pattern == name && pattern != "." && !pattern.isEmpty
    }
    guard wanted.count == offered.count else { return false }
    return zip(offered, wanted).enumerated().allSatisfy { index, pair in
      index == 0 && pair.0 == "*" || pair.0 == pair.1
    }
  }

  /// The labels of a host name; `nil` if the text is none. Only the first label of a pattern may be `*`, and not alone.
  private static func labels(of text: String, isPattern: Bool) -> [Substring]? {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    guard text != "*" else { return nil }
    let isHostName = labels.enumerated().allSatisfy { index, label in
      isPattern && index == 0 && label == "*" || isLabel(label)
    }
    return isHostName ? labels : nil
  }

  private static func isLabel(_ label: Substring) -> Bool {
    guard let first = label.utf8.first, first != UInt8(ascii: "-") else { return false }
    return label.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}

extension CertificateNames: CustomStringConvertible {
  /// The first names. A name of a certificate may hold anything, so that only host names are printed.
  var description: String {
    let names = dnsNames.filter { Self.labels(of: $0, isPattern: true) != nil } + addresses.map(\.description)
    guard !names.isEmpty else { return "no name at all (a common name does not count)" }
    return names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", ..." : "")
  }
}
