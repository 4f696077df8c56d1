// The client certificate of a connection.
//
// The certificate and the key are not parts of the `TLSConfiguration`. Connection pools hash a configuration, and NIOSSL
// ends the program when it hashes a key of a kind that it cannot write, such as Ed25519. Instead the configuration has a
// callback that hands over both when a server asks for a certificate.

import DevrunConfig
import NIOCore
import NIOSSL

/// A client certificate and its key, read and found to belong together.
struct ClientIdentity: Sendable {
  private let chain: [NIOSSLCertificateSource]
  private let key: NIOSSLPrivateKeySource

  /// Reads a certificate and its key. Throws `CredentialError.clientCertificate` if either cannot be used.
  init(_ pair: Credentials.ClientCertificate) throws(CredentialError) {
    chain = try Self.chain(of: pair.certificate)
    key = try Self.key(of: pair.key)
    do {
      _ = try NIOSSLContext(configuration: Self.configuration(chain: chain, key: key))
    } catch NIOSSLError.failedToLoadCertificate {
      throw .clientCertificate(problem: "the certificate has a kind of key that is not supported")
    } catch {
      let isKeyUsable = (try? NIOSSLContext(configuration: Self.configuration(chain: [], key: key))) != nil
      throw .clientCertificate(
        problem: isKeyUsable
          ? "the certificate and the key do not belong together" : "its key is of a kind that is not supported")
    }
  }

  /// Hands over certificate and key when a server asks for them.
  var callback: NIOSSLContextCallback {
    { [chain, key] _, promise in
      var override = NIOSSLContextConfigurationOverride()
      override.certificateChain = chain
      override.privateKey = key
      promise.succeed(override)
    }
  }

  private static func chain(of text: [UInt8]) throws(CredentialError) -> [NIOSSLCertificateSource] {
    do {
      guard !text.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
      return try NIOSSLCertificate.fromPEMBytes(text).map { .certificate($0) }
    } catch {
      throw .clientCertificate(problem: "the certificate is no PEM certificate")
    }
  }

  private static func key(of text: [UInt8]) throws(CredentialError) -> NIOSSLPrivateKeySource {
    do {
      guard !text.isEmpty else { throw NIOSSLError.failedToLoadPrivateKey }
      return .privateKey(try NIOSSLPrivateKey(bytes: text, format: .pem))
    } catch {
      throw .clientCertificate(
        problem: String(decoding: text, as: UTF8.self).contains("ENCRYPTED")
          ? "its key is protected by a passphrase, which is not supported" : "its key is no PEM private key")
    }
  }

  /// Settings that are made to see whether they can be.
  private static func configuration(
    chain: [NIOSSLCertificateSource], key: NIOSSLPrivateKeySource
  ) -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    configuration.certificateChain = chain
    configuration.privateKey = key
    return configuration
  }
}
