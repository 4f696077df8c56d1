import DevrunCore
import DevrunSystem
import Glibc
import Synchronization

@testable import DevrunLauncher

/// A TCP server on 127.0.0.1 that serves one client after the other: it greets, and waits for the client's end.
final class GreetingServer: Sendable {
  /// Where it listens.
  let endpoint: IPEndpoint
  private let listener: Descriptor
  private let connections = Atomic(0)

  /// How many connections it has accepted.
  var accepted: Int { connections.load(ordering: .relaxed) }

  /// Starts it.
  ///
  /// - Parameter http: greet in answer to a request of HTTP, instead of speaking first.
  init(http: Bool = false) throws {
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
        Self.serve(connection, http: http)
        _ = close(connection)
      }
    }
  }

  private static func serve(_ connection: Int32, http: Bool) {
    var chunk = [UInt8](repeating: 0, count: 4096)
    var request = ""
    while http, !request.contains("\r\n\r\n") {
      let count = recv(connection, &chunk, chunk.count, 0)
      if count <= 0 { return }
      request += String(decoding: chunk[..<count], as: UTF8.self)
    }
    let head = http ? "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n" : ""
    let greeting = Array((head + "hello\n").utf8)
    _ = send(connection, greeting, greeting.count, Int32(MSG_NOSIGNAL))
    _ = shutdown(connection, Int32(SHUT_WR))
    while recv(connection, &chunk, chunk.count, 0) > 0 {}
  }

  /// Ends it.
  func stop() { _ = shutdown(listener.number, Int32(SHUT_RDWR)) }
}
