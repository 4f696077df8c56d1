internal import NIOCore

/// Something that goes on between a client and the server, and that faults can come to in its midst.
protocol Passage: AnyObject {
  /// The request that it began with.
  var request: ProxiedRequest { get }
  /// Whether it lasts, as a watch and a port-forward do: it can be cut in its midst.
  var isStream: Bool { get }
  /// The faults that are in force have changed.
  func reconsider()
  /// Ends it: both connections are closed.
  func close()
}

/// What the connections of one proxy share. All of it belongs to the proxy's one event loop.
final class Switchboard {
  let loop: any EventLoop
  let upstream: Upstream
  /// The value of `Authorization` by which the proxy recognises its clients.
  let authorization: String
  private var injections: [Injection] = []
  private var clients: [ObjectIdentifier: any Channel] = [:]
  private var passages: [ObjectIdentifier: any Passage] = [:]

  init(loop: any EventLoop, upstream: Upstream, authorization: String) {
    self.loop = loop
    self.upstream = upstream
    self.authorization = authorization
  }

  // MARK: - Faults

  func add(_ injection: Injection) {
    injections.removeAll { !$0.isActive }
    injections.append(injection)
    reconsider()
  }

  /// Has all that goes on look at the faults that are in force.
  func reconsider() {
    // What is cut goes from the list meanwhile.
    for passage in Array(passages.values) { passage.reconsider() }
  }

  /// The faults in force for a request, the newest first.
  func faults(for request: ProxiedRequest) -> [Injection] {
    injections.reversed().filter { $0.isActive && $0.pattern.matches(request) }
  }

  /// Takes the newest fault of some kind, if there is one in force.
  func take(for request: ProxiedRequest, _ isWanted: (Fault) -> Bool) -> Injection? {
    faults(for: request).first { isWanted($0.fault) && $0.take(request) }
  }

  /// The fault that holds what comes back of a request.
  func holder(of request: ProxiedRequest) -> Injection? { faults(for: request).first { $0.fault == .hold } }

  // MARK: - Connections

  func begin(_ passage: any Passage) { passages[ObjectIdentifier(passage)] = passage }

  func end(_ passage: any Passage) { passages[ObjectIdentifier(passage)] = nil }

  /// Has a client's connection, until it is closed.
  func accept(_ channel: any Channel) {
    let key = ObjectIdentifier(channel)
    clients[key] = channel
    channel.closeFuture.assumeIsolated().whenComplete { [weak self] _ in self?.clients[key] = nil }
  }

  /// Closes all connections.
  func closeAll() -> EventLoopFuture<Void> {
    for passage in Array(passages.values) { passage.close() }
    let closed = clients.values.map { client in
      client.close(promise: nil)
      return client.closeFuture
    }
    return .andAllComplete(closed, on: loop)
  }
}
