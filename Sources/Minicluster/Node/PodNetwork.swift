internal import DevrunSystem
internal import NIOCore
internal import Synchronization

/// The node's bridge and the addresses of pods.
///
/// Pods are connected to the bridge by a pair of virtual interfaces each. Services' addresses are on the node's loopback
/// interface, to which pods have a route. `ip` (iproute2) makes all of it.
package final class PodNetwork: Sendable {
  fileprivate struct Addresses {
    var used: Set<Int> = []
    var last = 1
  }

  private let addresses = Mutex(Addresses())

  /// Makes the bridge in this process's network namespace.
  ///
  /// - Throws: ``SandboxError``, with the words of `ip` if the kernel has no bridges.
  package init() async throws {
    // Without an address of its own a bridge has that of one of its pods, and another one once that pod ends. Others would
    // send to the old one for seconds.
    try await Self.ip([
      "link set lo up", "link add pods address \(Self.linkAddress) type bridge",
      "address add \(nodeAddress)/16 dev pods", "link set pods up",
    ])
  }

  /// The node's own address, at which pods reach it.
  package var nodeAddress: String { "10.97.0.1" }

  /// The bridge's own link-layer address: a locally administered one that ends in `nodeAddress`.
  private static let linkAddress = "0a:58:0a:61:00:01"

  /// Gives the node's loopback interface a service's address. It may have it already.
  package func add(serviceAddress: String) async throws {
    try await Self.ip(["address replace \(serviceAddress)/32 dev lo"])
  }

  /// Takes a service's address away again.
  package func remove(serviceAddress: String) async throws {
    try await Self.ip(["address del \(serviceAddress)/32 dev lo"])
  }

  /// A pod's connection to the bridge.
  struct Link: Sendable {
    /// The pod's address.
    var address: String
    fileprivate var number: Int
    fileprivate var interface: String { "pod\(number)" }
  }

  /// Connects a network namespace to the bridge.
  ///
  /// - Parameters:
  ///   - namespace: the network namespace, open.
  ///   - process: a process in it, as this one numbers it.
  func connect(_ namespace: Descriptor, heldBy process: Int32) async throws -> Link {
    guard let number = addresses.withLock({ $0.take() }) else { throw SandboxError.noAddress }
    let link = Link(address: "10.97.\(number / 256).\(number % 256)", number: number)
    do {
      try await Self.ip([
        "link add \(link.interface) type veth peer name eth0 netns \(process)",
        "link set \(link.interface) master pods up",
      ])
    } catch {
      addresses.withLock { _ = $0.used.remove(number) }
      throw error
    }
    do {
      try await Self.ip(
        [
          "link set lo up", "address add \(link.address)/16 dev eth0", "link set eth0 up",
          "route add 10.98.0.0/16 via \(nodeAddress)",
        ], in: namespace)
    } catch {
      await disconnect(link)
      throw error
    }
    return link
  }

  /// Takes a connection away, and gives its address back.
  func disconnect(_ link: Link) async {
    // The pair goes with the pod's namespace as well, a little later; so it may be gone already.
    try? await Self.ip(["link delete \(link.interface)"])
    addresses.withLock { _ = $0.used.remove(link.number) }
  }

  /// Carries steps of `ip` out.
  private static func ip(_ steps: [String], in network: Descriptor? = nil) async throws {
    let (reading, writing) = try Descriptor.pipe()
    // So little fits into a pipe that nobody reads yet.
    try writing.writeAll((steps.joined(separator: "\n") + "\n").utf8)
    writing.close()
    var spawn = SandboxSpawn(command: ["ip", "-batch", "-"], environment: ["LC_ALL": "C"])
    spawn.joined = network.map { [$0] } ?? []
    spawn.input = reading
    let words = Mutex("")
    let process = try await ContainerProcess.start(spawn) { bytes in
      words.withLock { $0 += String(buffer: bytes) }
    }
    let end = await process.end()
    if end != .exited(0) {
      throw SandboxError.network(words.withLock { $0.split(separator: "\n").joined(separator: "; ") })
    }
  }
}

extension PodNetwork.Addresses {
  /// The next number that is free. A pod does not get the address of one that has just ended.
  fileprivate mutating func take() -> Int? {
    let all = 2..<65_535
    guard used.count < all.count else { return nil }
    repeat { last = last + 1 < all.upperBound ? last + 1 : all.lowerBound } while used.contains(last)
    used.insert(last)
    return last
  }
}
