import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization

/// What the receiving thread does with a trapped `bind`.
extension ConnectRedirect {
  /// Binds a socket to the loopback interface where its owner means the pod's own address. Whether it was answered. A bind
  /// to any other address is the kernel's, unless the pod's has taken its place.
  func bind(_ call: devrun_notification, memory: UnsafeMutableRawBufferPointer) -> Bool {
    let wanted = min(Int(truncatingIfNeeded: call.arguments.2), SocketAddress.room)
    guard wanted > 0, devrun_read_memory(call.thread, call.arguments.1, memory.baseAddress, wanted) == wanted,
      let place = SocketAddress.read(UnsafeRawBufferPointer(memory)[..<wanted].rebased)
    else { return false }
    do throws(Errno) {
      if let port = try forbiddenPort(of: call, family: place.family, port: place.port) {
        listens?.forbids(port)
        // The kernel refuses it, unless the caller has meanwhile got what it takes.
        return false
      }
      guard places.concerns(place.address), let address = place.address.address else { return false }
      let seat = PodPlaces.Seat(
        thread: call.thread, descriptor: Int32(truncatingIfNeeded: call.arguments.0), family: place.family)
      let rivals = places.rivals(of: address, port: place.port)
      let others = places.possibleRivals(of: address, port: place.port)
      defer { places.note(seat, at: address, port: place.port) }
      guard places.contains(place.address) || !rivals.isEmpty || !others.isEmpty,
        let socket = try socket(of: call, family: place.family)
      else { return false }
      defer { socket.release() }
      // Only now it is certain that memory and socket were the caller's.
      guard devrun_notification_is_valid(listener.number, call.id) else { return true }
      let error = bind(socket, to: address, port: place.port, rivals: rivals, others: others)
      if error == nil, places.contains(place.address) {
        places.withSources { $0.insert(socket.inode, port: place.port) }
      }
      _ = devrun_answer(listener.number, call.id, 0, error?.rawValue ?? 0)
      return true
    } catch {
      if error == .notPermitted, places.contains(place.address) { reportForbiddenBind(call) }
      // Otherwise the caller is gone, or its descriptor is none.
      return false
    }
  }

  /// Binds a socket to the loopback address, or to the place's own where the command itself has bound another place to that.
  ///
  /// - Parameters:
  ///   - rivals: what was to be bound there.
  ///   - others: what may be bound there by the kernel's choice.
  /// - Returns: what the bind fails with; `nil` if it does not.
  private func bind(
    _ socket: CallerSocket, to address: IPAddress, port: UInt16, rivals: [PodPlaces.Seat], others: [PodPlaces.Seat]
  ) -> Errno? {
    let common = IPEndpoint(.loopback(like: address), port: port)
    // Sockets that share the port (SO_REUSEADDR) fail only when they listen.
    let isHeld = (rivals + others).contains { holds($0, common, asTCP: socket.isTCP) }
    if !isHeld {
      let error = bind(socket, to: common)
      if error == nil { places.note(address, port: port, isTCP: socket.isTCP, isApart: false) }
      guard error == Errno(rawValue: EADDRINUSE), !rivals.isEmpty else { return error }
    }
    let own = places.ownPlace(of: address, port: port)
    do throws(Errno) {
      if !address.isIPv4 { try socket.admitIPv4() }
    } catch {
      return error
    }
    let error = bind(socket, to: own)
    if error == nil { places.note(address, port: port, isTCP: socket.isTCP, isApart: true) }
    return error
  }

  /// Whether the descriptor is still a socket that is bound to the place.
  private func holds(_ seat: PodPlaces.Seat, _ place: IPEndpoint, asTCP: Bool) -> Bool {
    do throws(Errno) {
      guard
        let socket = try CallerSocket(
          of: seat.thread, number: seat.descriptor, family: seat.family, ofAnyKind: true, features: features)
      else { return false }
      defer { socket.release() }
      guard socket.isTCP == asTCP else { return false }
      return try socket.local == place
    } catch {
      // Its owner is gone, or has closed it.
      return false
    }
  }

  /// What the bind fails with; `nil` if it does not.
  private func bind(_ socket: CallerSocket, to place: IPEndpoint) -> Errno? {
    do throws(Errno) {
      try socket.bind(to: place)
      return nil
    } catch .invalidArgument {
      // A signal may have made the kernel drop the answer and repeat the call; the first one has bound the socket then.
      let local = try? socket.local
      let isDone = local?.address == place.address && (place.port == 0 || local?.port == place.port)
      return isDone ? nil : .invalidArgument
    } catch {
      return error
    }
  }

  /// The caller's socket; `nil` if it is of another family, or in a network namespace of its own.
  private func socket(of call: devrun_notification, family: Int32) throws(Errno) -> CallerSocket? {
    let number = Int32(truncatingIfNeeded: call.arguments.0)
    guard !state.withLock({ $0.isReleased }),
      let socket = try CallerSocket(
        of: call.thread, number: number, family: family, ofAnyKind: true, features: features)
    else { return nil }
    guard try isOfThisNetwork(socket, thread: call.thread) else {
      socket.release()
      return nil
    }
    return socket
  }

  /// The port, if it is one that the caller may not bind a TCP socket to. Found out only for those who want to hear of it.
  private func forbiddenPort(of call: devrun_notification, family: Int32, port: UInt16) throws(Errno) -> UInt16? {
    guard listens != nil, PrivilegedPorts.forbid(port, to: call.thread),
      let socket = try socket(of: call, family: family)
    else { return nil }
    defer { socket.release() }
    return socket.isTCP ? port : nil
  }
}

/// The ports that only privileged programs may bind sockets to (ip(7), `ip_unprivileged_port_start`).
private enum PrivilegedPorts {
  /// CAP_NET_BIND_SERVICE, as a bit of a capability set.
  private static let capability: UInt64 = 1 << 10

  /// Whether a thread may not bind a socket of this network namespace to the port. `false` where that cannot be found out.
  ///
  /// A capability counts in the user namespace that the network namespace belongs to. That is this process's own or one
  /// above it, never the one that the command was given.
  static func forbid(_ port: UInt16, to thread: pid_t) -> Bool {
    // A port that no machine is known to reserve is not looked up: this is asked for each bind.
    guard port > 0, port < 1024, let first = number(in: "/proc/sys/net/ipv4/ip_unprivileged_port_start"), port < first,
      let capabilities = capabilities(of: thread), let here = try? FileKind.at("/proc/self/ns/user"),
      let there = try? FileKind.at(RawString("/proc/\(thread)/ns/user"))
    else { return false }
    return here != there || capabilities & capability == 0
  }

  private static func number(in path: RawString) -> UInt16? {
    guard let text = try? Descriptor.open(path, O_RDONLY).readToEnd() else { return nil }
    return UInt16(String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }

  private static func capabilities(of thread: pid_t) -> UInt64? {
    guard let status = try? Descriptor.open(RawString("/proc/\(thread)/status"), O_RDONLY).readToEnd() else {
      return nil
    }
    let line = status.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "CapEff:\t".utf8) }
    return line.flatMap { UInt64(String(decoding: $0.dropFirst(8), as: UTF8.self), radix: 16) }
  }
}

extension IPAddress {
  /// The address of the loopback interface, of the family of another address.
  static func loopback(like other: IPAddress) -> IPAddress {
    if other.isIPv4 { return IPAddress(127, 0, 0, 1) }
    return IPAddress(bytes: [UInt8](repeating: 0, count: 15) + [1]) ?? IPAddress(127, 0, 0, 1)
  }
}
