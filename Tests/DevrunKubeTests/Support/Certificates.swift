import Foundation
import TestSupport

/// Certificates for tests, made once by `openssl`: an authority, servers for one name or address each, and a user.
struct Certificates: Sendable {
  struct Pair: Sendable {
    var certificate: [UInt8]
    var key: [UInt8]
  }

  var authority: [UInt8]
  /// An authority that has signed none of the others.
  var otherAuthority: [UInt8]
  /// For the name `kube.test`.
  var named: Pair
  /// For the address 127.0.0.1.
  var addressed: Pair
  /// For the user `alice`.
  var user: Pair
  /// For the user `bob`.
  var otherUser: Pair
  /// For the user `carol`, with a key of Ed25519.
  var modernUser: Pair
  /// For the address 127.0.0.1, with a key of Ed25519.
  var modern: Pair
  /// For the address 127.0.0.1, with a key of P-521.
  var long: Pair
  /// For nothing but the common name `kube.test`.
  var commonNamed: Pair

  static let shared = Result { try Certificates() }

  private init() throws {
    let folder = try TemporaryFolder()
    func openssl(_ arguments: String...) throws { try openssl(arguments) }
    func openssl(_ arguments: [String]) throws {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = ["openssl"] + arguments
      process.currentDirectoryURL = URL(filePath: folder.path)
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { throw OpenSSLFailed(arguments: arguments) }
    }
    func file(_ name: String) throws -> [UInt8] { Array(try folder.text(of: name).utf8) }
    func authority(_ name: String) throws -> [UInt8] {
      try openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out", "\(name).pem")
      return try file("\(name).pem")
    }
    let p256 = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    func pair(_ name: String, _ alternativeName: String?, key: [String]? = nil) throws -> Pair {
      let request = ["req", "-newkey"] + (key ?? p256) + ["-nodes", "-subj", "/CN=\(name)"]
      try openssl(request + ["-keyout", "\(name).key", "-out", "\(name).csr"])
      try folder.write("\(name).ext", alternativeName.map { "subjectAltName=\($0)" } ?? "basicConstraints=CA:FALSE")
      try openssl(
        "x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "\(name).ext", "-out", "\(name).pem")
      return Pair(certificate: try file("\(name).pem"), key: try file("\(name).key"))
    }
    self.authority = try authority("ca")
    otherAuthority = try authority("other")
    named = try pair("named", "DNS:kube.test")
    addressed = try pair("addressed", "IP:127.0.0.1")
    user = try pair("alice", "DNS:alice")
    otherUser = try pair("bob", "DNS:bob")
    modernUser = try pair("carol", "DNS:carol", key: ["ed25519"])
    modern = try pair("modern", "IP:127.0.0.1", key: ["ed25519"])
    long = try pair("long", "IP:127.0.0.1", key: ["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"])
    commonNamed = try pair("kube.test", nil)
  }

  struct OpenSSLFailed: Error {
    var arguments: [String]
  }
}
