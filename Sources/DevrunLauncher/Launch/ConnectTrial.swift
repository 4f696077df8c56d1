import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization

/// The one connection of a launch that is only tried: it is redirected to a listener of this process, as the connections
/// of a command are. Where that is forbidden the session would start and reach nothing.
struct ConnectTrial {
  private let redirect: ConnectRedirect
  private let serving: Task<Void, Never>

  /// Begins to serve the child's connection.
  ///
  /// - Parameter listener: what the child's trapped calls are read from.
  init(listener: Descriptor, features: KernelFeatures) throws(Errno) {
    let place = try LoopbackListener()
    // DEVRUN_TRIAL_ADDRESS
    let address = IPAddress(127, 255, 255, 254)
    redirect = try ConnectRedirect(
      listener: listener, table: RedirectTable(addresses: [address]), files: PrivateFiles(),
      podAddresses: [], listens: nil, features: features)
    // The launch says what is wrong, for all of them.
    redirect.hasReported.store(true, ordering: .relaxed)
    serving = Task { [redirect] in await redirect.serve(by: Connector(place: place)) }
  }

  /// Ends the serving.
  func end() {
    redirect.release()
    serving.cancel()
  }

  /// Has every connection made to one listener.
  private struct Connector: OutboundConnector {
    var place: LoopbackListener

    func begin(to destination: IPEndpoint) -> any OutboundAttempt { Attempt(place: place) }
  }

  private struct Attempt: OutboundAttempt {
    var place: LoopbackListener

    func acceptor() -> IPEndpoint { place.endpoint }
    func outcome() -> DialOutcome { .connected }
    func attach(_ local: IPEndpoint) {}
    func cancel() {}
  }
}

/// A TCP socket that listens on 127.0.0.1, at a port that the kernel chooses. Nothing is accepted: a connection in its
/// queue is connected.
private struct LoopbackListener: Sendable {
  private let socket: Descriptor
  let endpoint: IPEndpoint

  init() throws(Errno) {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = Descriptor(try system { Glibc.socket(AF_INET, type, 0) })
    let any = IPEndpoint(IPAddress(127, 0, 0, 1), port: 0)
    try SocketAddress.withEndpoint(any, family: AF_INET) { (address, length) throws(Errno) in
      _ = try system { bind(socket.number, address, length) }
    }
    try system { listen(socket.number, 1) }
    endpoint = try socket.localEndpoint()
    self.socket = socket
  }
}
