internal import DevrunCore
internal import DevrunSystem
internal import Glibc
internal import NIOCore

/// A program of this machine at the other end of a TCP connection.
///
/// A client that has ended its half looks the same as one that is gone: both have sent a FIN. The kernel knows which it
/// is. A socket without a number in its file system is nobody's.
struct LocalClient: Sendable {
  private let ends: (client: End, server: End)

  private struct End {
    var address: IPAddress
    var port: Int

    init?(_ address: SocketAddress?) {
      guard let ip = address?.ipAddress.flatMap({ IPAddress($0) }), let port = address?.port else { return nil }
      (self.address, self.port) = (ip, port)
    }

    /// How the kernel prints it for a socket of IPv6, or of IPv4 (proc(5)): each 32 bits are a number of this machine's.
    func text(inIPv6: Bool) -> String {
      let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]
      let bytes = address.isIPv4 && inIPv6 ? mapped + address.bytes : Array(address.bytes)
      let words = stride(from: 0, to: bytes.count, by: 4).map { start in
        bytes[start..<start + 4].withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
      }
      return words.map { Self.hex($0, 8) }.joined() + ":" + Self.hex(UInt32(port), 4)
    }

    private static func hex(_ number: UInt32, _ length: Int) -> String {
      let digits = String(number, radix: 16, uppercase: true)
      return String(repeating: "0", count: length - digits.count) + digits
    }
  }

  /// The client of a connection; `nil` if the connection is none of TCP.
  init?(client: SocketAddress?, server: SocketAddress?) {
    guard let client = End(client), let server = End(server) else { return nil }
    ends = (client, server)
  }

  /// Whether nobody has the client's socket any more. If the kernel does not list its sockets, somebody may.
  var isGone: Bool {
    do throws(Errno) {
      for (path, isIPv6) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
        if isIPv6 || ends.client.address.isIPv4, isOpen(in: try Self.list(path), isIPv6: isIPv6) { return false }
      }
      return true
    } catch {
      return false
    }
  }

  /// One of the kernel's lists; empty for IPv6 if the kernel is without it.
  private static func list(_ path: String) throws(Errno) -> [UInt8] {
    do throws(Errno) {
      return try Descriptor.open(RawString(path), O_RDONLY).readToEnd()
    } catch .noEntry where path.hasSuffix("6") {
      return []
    }
  }

  private func isOpen(in list: [UInt8], isIPv6: Bool) -> Bool {
    let place = Array("\(ends.client.text(inIPv6: isIPv6)) \(ends.server.text(inIPv6: isIPv6)) ".utf8)
    return list.split(separator: UInt8(ascii: "\n")).contains { line in
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return false }
      guard line[(colon + 1)...].drop(while: { $0 == UInt8(ascii: " ") }).starts(with: place) else { return false }
      let fields = line.split(separator: UInt8(ascii: " "))
      return fields.count > 9 && fields[9] != [UInt8(ascii: "0")]
    }
  }
}
