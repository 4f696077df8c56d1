import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

@testable import Minicluster

/// An API server on loopback, on a store that the test fills, with a node that the test plays.
struct APIFixture {
  let store: ObjectStore
  let node: PlayedNode
  let identities: ClusterIdentities
  let folder: TemporaryFolder
  let port: Int

  /// Runs a body with a server. The server has ended when this returns.
  static func run<Result: Sendable>(_ body: @Sendable (APIFixture) async throws -> Result) async throws -> Result {
    let store = ObjectStore()
    let node = PlayedNode()
    let identities = try ClusterIdentities()
    let folder = try TemporaryFolder()
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let result = try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { continuation.finish() }
        let server = APIServer(store: store, node: node, identities: identities)
        try await server.run(listeningAt: [.address("127.0.0.1", port: 0)]) { continuation.yield($0[0]) }
      }
      var iterator = ports.makeAsyncIterator()
      guard let port = await iterator.next() else {
        try await group.waitForAll()
        throw TestFailure("the server has ended")
      }
      try identities.writeKubeconfigs(to: folder.path, server: "https://127.0.0.1:\(port)")
      let result = try await body(
        APIFixture(store: store, node: node, identities: identities, folder: folder, port: port))
      group.cancelAll()
      do { try await group.waitForAll() } catch is CancellationError {}
      return result
    }
    folder.remove()
    return result
  }

  /// The access of a kubeconfig that was written.
  func access(_ file: String = "kubeconfig") throws -> ClusterAccess {
    try Kubeconfig.access(
      from: Kubeconfig.Locations(
        file: folder.path(file), environment: [:], home: nil, workingDirectory: "/"))
  }

  /// Runs a body with a client, which is shut down afterwards.
  func withClient(_ access: ClusterAccess, _ body: (KubeClient) async throws -> Void) async throws {
    let client = try KubeClient(access: access, environment: [:], group: MultiThreadedEventLoopGroup.singleton)
    do {
      try await body(client)
    } catch {
      try await client.shutdown()
      throw error
    }
    try await client.shutdown()
  }
}

/// A node whose pods are the machine itself, and whose logs the test writes.
final class PlayedNode: NodeAccess {
  /// What happens at the node.
  enum Event: Sendable, Hashable {
    case logOpened(PodName, container: String?, follows: Bool)
    case logEnded
  }

  let events: AsyncStream<Event>
  private let continuation: AsyncStream<Event>.Continuation
  private let writers = Mutex<[AsyncStream<ByteBuffer>.Continuation]>([])

  init() { (events, continuation) = AsyncStream.makeStream(of: Event.self) }

  /// Writes into all logs that are open.
  func write(_ text: String) { for writer in writers.withLock({ $0 }) { writer.yield(ByteBuffer(string: text)) } }

  /// Ends all logs that are open.
  func endLogs() { for writer in writers.withLock({ $0 }) { writer.finish() } }

  func log(of pod: PodName, _ options: LogOptions) throws(APIFailure) -> AsyncStream<ByteBuffer> {
    let (stream, writer) = AsyncStream.makeStream(of: ByteBuffer.self)
    writer.onTermination = { [continuation] _ in continuation.yield(.logEnded) }
    writers.withLock { $0.append(writer) }
    continuation.yield(.logOpened(pod, container: options.container, follows: options.follow))
    return stream
  }

  func connect(to port: Int, of pod: PodName, on loop: any EventLoop) async throws -> any Channel {
    try await ClientBootstrap(group: loop)
      .channelOption(.autoRead, value: false)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .connect(to: SocketAddress(ipAddress: "127.0.0.1", port: port)).get()
  }
}
