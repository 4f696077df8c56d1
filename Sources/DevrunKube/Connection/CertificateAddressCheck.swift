import DevrunCore
import NIOCore
import NIOSSL

/// The check that a server's certificate is for an IP address, where NIOSSL cannot make it (see `TLSSettings`). The
/// chain has been verified by then.
enum CertificateAddressCheck {
  /// Checks the certificate of a channel whose handshake is over; on its event loop.
  ///
  /// Throws `TransportFailure.certificateNotTrusted` where the certificate does not name the address.
  static func run(_ address: IPAddress, on channel: any Channel) throws {
    let certificate = try channel.pipeline.syncOperations.nioSSL_peerCertificate()
    let names = certificate?._subjectAlternativeNames()
    let isNamed = names?.contains { name in
      name.nameType == .ipAddress && IPAddress(bytes: Array(name.contents)) == address
    }
    if isNamed != true {
      throw TransportFailure.certificateNotTrusted("the certificate is not for the address \(address)")
    }
  }
}
