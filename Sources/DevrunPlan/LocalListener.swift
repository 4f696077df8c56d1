/// Something began to listen on a TCP port of this machine.
public enum ListenEvent: Sendable, Hashable {
  /// Something that is not older than the command listens on an expected port.
  case began(port: UInt16)
  /// An expected port was listened on before the command began.
  ///
  /// - Parameter by: the process, as in `nginx (pid 4711)`; `nil` if it cannot be found out, as for another user's.
  case occupied(port: UInt16, by: String?)
  /// The command, or a descendant of it, listens on a port that is not expected, on a loopback address or on all
  /// addresses.
  case elsewhere(port: UInt16)
  /// The command, or a descendant of it, listens on an expected port of an address that connections to localhost do not
  /// reach, such as 192.168.1.5 or 127.0.0.2.
  case unreachable(port: UInt16, address: String)
  /// The command, or a descendant of it, may not bind a TCP socket to this port: it is one of those that this machine keeps
  /// for privileged programs.
  case forbidden(port: UInt16)
}
