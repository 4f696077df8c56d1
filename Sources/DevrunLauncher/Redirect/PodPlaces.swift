import DevrunCore
import DevrunSystem
import Glibc
import Synchronization

/// Where the command's sockets are that it binds to its pod's addresses.
///
/// They are on the loopback interface. In the pod, 127.0.0.1 and the pod's address are two places, and a server may bind both at
/// one port. Here whichever of them comes second gets a loopback address of its own.
final class PodPlaces: Sendable {
  /// A socket, as its owner has it.
  struct Seat: Sendable {
    var thread: pid_t
    var descriptor: Int32
    var family: Int32
  }

  private let pods: Set<AddressKey>
  /// The address that each place has where the common one is taken. The loopback addresses have one as well.
  private let own: [AddressKey: IPAddress]
  private let state = Mutex(State())

  private struct Place: Hashable {
    var address: AddressKey
    var port: UInt16
  }

  private struct State {
    /// The last socket that was to be bound to a place, by the common place.
    var seats: [Place: [AddressKey: Seat]] = [:]
    /// The places that have moved to addresses of their own, for TCP and for everything else.
    var apart: [Bool: Set<Place>] = [:]
    var sources = BoundSources()
  }

  /// The places of a pod with these addresses.
  init(_ addresses: [IPAddress]) {
    pods = Set(addresses.map { AddressKey($0) })
    let shared = addresses.isEmpty ? [] : addresses + addresses.map { .loopback(like: $0) }
    var own: [AddressKey: IPAddress] = [:]
    for address in shared where own[AddressKey(address)] == nil && own.count < 254 {
      own[AddressKey(address)] = IPAddress(127, 255, 254, UInt8(own.count + 1))
    }
    self.own = own
  }

  /// Whether the address is one of the pod's.
  func contains(_ address: AddressKey) -> Bool { pods.contains(address) }

  /// Whether a bind to the address is of interest: it is one of the pod's, or one that those are bound to.
  func concerns(_ address: AddressKey) -> Bool { own[address] != nil }

  /// Whether a connect to the place goes elsewhere.
  func moves(_ address: AddressKey, port: UInt16) -> Bool {
    if pods.contains(address) { return true }
    guard own[address] != nil else { return false }
    let place = Place(address: address, port: port)
    return state.withLock { $0.apart.values.contains { $0.contains(place) } }
  }

  /// Where a connect to the place goes.
  func place(of address: IPAddress, port: UInt16, isTCP: Bool) -> IPEndpoint {
    let place = Place(address: AddressKey(address), port: port)
    let isApart = state.withLock { $0.apart[isTCP]?.contains(place) ?? false }
    return isApart ? ownPlace(of: address, port: port) : IPEndpoint(.loopback(like: address), port: port)
  }

  /// The place that nothing else shares.
  func ownPlace(of address: IPAddress, port: UInt16) -> IPEndpoint {
    IPEndpoint(own[AddressKey(address)] ?? .loopback(like: address), port: port)
  }

  /// The sockets that were to be bound to other places which are one with this place here.
  func rivals(of address: IPAddress, port: UInt16) -> [Seat] {
    guard port != 0 else { return [] }
    let seats = state.withLock { $0.seats[Self.common(address, port)] ?? [:] }
    return seats.filter { $0.key != AddressKey(address) }.map(\.value)
  }

  /// The last sockets that were to be bound to other places at a port of the kernel's choice, which may be this one.
  func possibleRivals(of address: IPAddress, port: UInt16) -> [Seat] {
    guard port != 0 else { return [] }
    let seats = state.withLock { $0.seats[Self.common(address, 0)] ?? [:] }
    return seats.filter { $0.key != AddressKey(address) }.map(\.value)
  }

  /// Notes that a socket wants a place.
  func note(_ seat: Seat, at address: IPAddress, port: UInt16) {
    state.withLock { $0.seats[Self.common(address, port), default: [:]][AddressKey(address)] = seat }
  }

  /// Notes where a place is: apart, or at the common place.
  func note(_ address: IPAddress, port: UInt16, isTCP: Bool, isApart: Bool) {
    guard port != 0 else { return }
    let place = Place(address: AddressKey(address), port: port)
    state.withLock { state in
      if isApart {
        state.apart[isTCP, default: []].insert(place)
      } else {
        state.apart[isTCP]?.remove(place)
      }
    }
  }

  /// The sockets bound here that may be those of clients.
  func withSources<Result>(_ body: (inout sending BoundSources) -> sending Result) -> Result {
    state.withLock { body(&$0.sources) }
  }

  private static func common(_ address: IPAddress, _ port: UInt16) -> Place {
    Place(address: AddressKey(.loopback(like: address)), port: port)
  }
}

/// The sockets that were bound to the loopback interface in the place of a pod's address, by their numbers in the kernel's own
/// file system, with the ports that were asked for. The newest of them: what a client binds, it connects soon.
struct BoundSources {
  private static let capacity = 1024

  private var ports: [UInt64: UInt16] = [:]
  private var order: [UInt64] = []

  /// Whether there is none.
  var isEmpty: Bool { ports.isEmpty }

  /// The port that was asked for; `nil` if the socket is none of them.
  func port(of socket: UInt64) -> UInt16? { ports[socket] }

  /// One more.
  mutating func insert(_ socket: UInt64, port: UInt16) {
    if order.count >= Self.capacity {
      for oldest in order.prefix(Self.capacity / 2) { ports[oldest] = nil }
      order.removeFirst(Self.capacity / 2)
    }
    order.append(socket)
    ports[socket] = port
  }

  /// One that is bound anew.
  mutating func remove(_ socket: UInt64) { ports[socket] = nil }
}
