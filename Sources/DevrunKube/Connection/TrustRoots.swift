import DevrunCore
internal import DevrunSystem
import Foundation
import NIOSSL

/// The certificates that servers' certificates are verified with.
enum TrustRoots {
  /// The certificates of a PEM text, each once. As in kubectl, those that cannot be read are left out.
  static func certificates(inPEM text: [UInt8]) -> [NIOSSLCertificate] {
    var seen: Set<[UInt8]> = []
    return blocks(of: text).filter { seen.insert($0).inserted }.compactMap(certificate)
  }

  /// The certificates that `SSL_CERT_FILE` and `SSL_CERT_DIR` name; `nil` if neither is set, which means those that the
  /// system trusts.
  ///
  /// The rules are those of Go, so that devrun and kubectl trust the same: a file in `SSL_CERT_FILE` takes the place of
  /// the system's file, folders in `SSL_CERT_DIR` (separated by colons) that of the system's folders.
  static func named(by environment: EnvironmentVariables) -> [NIOSSLCertificate]? {
    func value(_ name: RawString) -> String? {
      environment[name].map(\.description).flatMap { $0.isEmpty ? nil : $0 }
    }
    let file = value("SSL_CERT_FILE")
    let folders = value("SSL_CERT_DIR")
    guard file != nil || folders != nil else { return nil }
    var text: [UInt8] = []
    func append(_ path: String) -> Bool {
      guard let data = FileManager.default.contents(atPath: path) else { return false }
      text += Array(data) + Array("\n".utf8)
      return true
    }
    _ = (file.map { [$0] } ?? systemFiles).first(where: append)
    for folder in folders.map({ $0.split(separator: ":").map(String.init) }) ?? systemFolders {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      for name in names.sorted() { _ = append("\(folder)/\(name)") }
    }
    return certificates(inPEM: text)
  }

  private static let systemFiles = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
  ]
  private static let systemFolders = ["/etc/ssl/certs", "/etc/pki/tls/certs"]

  private static let begin = Array("-----BEGIN CERTIFICATE-----".utf8)
  private static let end = Array("-----END CERTIFICATE-----".utf8)

  /// The blocks of certificates, each with its first and its last line.
  private static func blocks(of text: [UInt8]) -> [[UInt8]] {
    var blocks: [[UInt8]] = []
    var block: [UInt8]?
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let isBegin = line.starts(with: begin)
      if isBegin { block = [] }
      block?.append(contentsOf: line)
      block?.append(UInt8(ascii: "\n"))
      if line.starts(with: end), let complete = block {
        blocks.append(complete)
        block = nil
      }
    }
    return blocks
  }

  /// The certificate of a block; `nil` if it cannot be read. NIOSSL writes certificates again to compare them, and ends
  /// the program if that fails, so that it is tried here.
  private static func certificate(_ block: [UInt8]) -> NIOSSLCertificate? {
    guard let certificate = try? NIOSSLCertificate(bytes: block, format: .pem), (try? certificate.toDERBytes()) != nil
    else { return nil }
    return certificate
  }
}
