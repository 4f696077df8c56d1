import DevrunCore
import Glibc
import Synchronization

@testable import DevrunLauncher

/// A TCP server on 127.0.0.1 that speaks first: it greets, and closes after what it got in return.
final class GreetingServer: Sendable {
  /// Where it listens.
  let endpoint: IPEndpoint
  private let listener: Descriptor
  private let connections = Atomic(0)

  /// How many connections it has accepted.
  var accepted: Int { connections.load(ordering: .relaxed) }

  init() throws {
    let listener = Descriptor(
      try system { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) })
    self.listener = listener
    try SocketAddress.withEndpoint(IPEndpoint(IPAddress(127, 0, 0, 1), port: 0), family: AF_INET) {
      (address, length) throws(Errno) in
      _ = try system { bind(listener.number, address, length) }
    }
    try system { listen(listener.number, 4096) }
    endpoint = try listener.localEndpoint()
    try NativeThread.start(name: "test-server") { [self] in
      while true {
        let connection = accept(listener.number, nil, nil)
        // Shut down by the end of the test.
        if connection < 0 { return }
        self.connections.add(1, ordering: .relaxed)
        _ = send(connection, "hello\n", 6, Int32(MSG_NOSIGNAL))
        _ = shutdown(connection, Int32(SHUT_WR))
        var byte: UInt8 = 0
        _ = recv(connection, &byte, 1, 0)
        _ = close(connection)
      }
    }
  }

  /// Ends it.
  func stop() { _ = shutdown(listener.number, Int32(SHUT_RDWR)) }
}
