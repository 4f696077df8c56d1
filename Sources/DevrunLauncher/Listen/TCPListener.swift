import CLinux
import DevrunCore
import DevrunSystem
import Glibc

/// A TCP socket of this machine that listens.
struct TCPListener: Sendable, Hashable {
  /// The address that it is bound to.
  var address: IPAddress
  /// The port that it is bound to.
  var port: UInt16
  /// The socket's number in the kernel's own file system.
  var inode: UInt64

  /// Whether the session's connections, which go to 127.0.0.1 or ::1, can reach it. A listener on another address, such
  /// as a resolver on 127.0.0.53, keeps nobody from listening on the same port.
  var isReachable: Bool {
    address == IPAddress(127, 0, 0, 1) || address.bytes.allSatisfy { $0 == 0 }
      || !address.isIPv4 && address.isLoopback
  }
}

extension TCPListener {
  /// All that listen in this process's network namespace.
  ///
  /// - Throws: the kernel's answer, where it lists them neither by sock_diag(7) nor in /proc/net.
  static func all() throws(Errno) -> [TCPListener] {
    do throws(Errno) {
      return try diagnosed()
    } catch {
      // The module may be missing. The other way is slow where there are many connections.
      return try listed(in: "/proc/net/tcp") + listed(in: "/proc/net/tcp6")
    }
  }

  /// All of them by sock_diag(7), which lists nothing but listeners.
  static func diagnosed() throws(Errno) -> [TCPListener] {
    var listeners: [TCPListener] = []
    try withUnsafeMutablePointer(to: &listeners) { (listeners) throws(Errno) in
      _ = try shim {
        devrun_list_listeners(
          { context, listener in
            guard let context, let listener, let found = TCPListener(listener.pointee) else { return }
            context.assumingMemoryBound(to: [TCPListener].self).pointee.append(found)
          }, listeners)
      }
    }
    return listeners
  }

  private init?(_ listener: devrun_listener) {
    let bytes = withUnsafeBytes(of: listener.address) { Array($0.prefix(Int(listener.address_size))) }
    guard let address = IPAddress(bytes: bytes) else { return nil }
    self.init(address: address, port: listener.port, inode: UInt64(listener.inode))
  }

  /// Those of one of the kernel's lists of all TCP sockets (proc(5)). None if there is no such list: a kernel may be
  /// without IPv6.
  static func listed(in path: RawString) throws(Errno) -> [TCPListener] {
    do throws(Errno) {
      let text = try Descriptor.open(path, O_RDONLY).readToEnd()
      return String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { TCPListener(line: $0) }
    } catch .noEntry {
      return []
    }
  }

  /// What a line of such a list says. `nil`: it is of a socket that does not listen, or the list's head.
  private init?(line: Substring) {
    let fields = line.split(separator: " ")
    // The fourth field is the state, of which 0A is TCP_LISTEN; the second one is ADDRESS:PORT in hexadecimal digits.
    guard fields.count > 9, fields[3] == "0A", let inode = UInt64(fields[9]) else { return nil }
    let local = fields[1].split(separator: ":")
    guard local.count == 2, let port = UInt16(local[1], radix: 16) else { return nil }
    let digits = Array(local[0])
    // Each 32 bits of the address are printed as a number of this machine's.
    let words = stride(from: 0, to: digits.count, by: 8).compactMap {
      UInt32(String(digits[$0..<min($0 + 8, digits.count)]), radix: 16)
    }
    let bytes = words.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
    guard let address = IPAddress(bytes: bytes) else { return nil }
    self.init(address: address, port: port, inode: inode)
  }
}
