import CLinux
import DevrunCore
import DevrunSystem
import Glibc
import Synchronization

/// What the receiving thread does with a `connect` of a socket that was bound to the pod's address.
extension ConnectRedirect {
  /// Connects a socket of UDP to a place that is on the loopback interface here. Whether it was answered.
  func connectDatagram(_ socket: CallerSocket, to place: IPEndpoint, for call: devrun_notification) -> Bool {
    defer { socket.release() }
    guard socket.isUDP else { return false }
    guard devrun_notification_is_valid(listener.number, call.id) else { return true }
    var failure: Errno?
    do throws(Errno) { failure = try socket.connectHere(to: place).error } catch { failure = error }
    _ = devrun_answer(listener.number, call.id, 0, failure?.rawValue ?? 0)
    return true
  }

  /// Frees a socket of its loopback address, from which no other machine can be reached. The kernel then chooses the one to
  /// connect from. Whether the call was answered: with EADDRNOTAVAIL, where the socket cannot be freed.
  ///
  /// - Parameters:
  ///   - call: a `connect` that is the kernel's.
  ///   - family: the address family of its destination.
  ///   - address: its destination.
  func freeSource(_ call: devrun_notification, family: Int32, address: AddressKey) -> Bool {
    guard !places.withSources({ $0.isEmpty }), let destination = address.address, !destination.isLoopback,
      !destination.bytes.allSatisfy({ $0 == 0 }), !state.withLock({ $0.isReleased })
    else { return false }
    do throws(Errno) {
      guard
        let socket = try CallerSocket(
          of: call.thread, number: Int32(truncatingIfNeeded: call.arguments.0), family: family, ofAnyKind: true,
          features: features)
      else { return false }
      defer { socket.release() }
      guard let port = places.withSources({ $0.port(of: socket.inode) }), socket.isUDP || socket.isFresh,
        devrun_notification_is_valid(listener.number, call.id)
      else { return false }
      if port == 0, socket.free() == nil {
        places.withSources { $0.remove(socket.inode) }
        return false
      }
      _ = devrun_answer(listener.number, call.id, 0, Errno.addressNotAvailable.rawValue)
      return true
    } catch {
      // The caller is gone, or its descriptor is none.
      return false
    }
  }
}

extension CallerSocket {
  /// Unbinds a socket that is bound to an address but to no certain port (inet(7) calls that an ephemeral one).
  ///
  /// - Returns: what it fails with; `nil` if it does not.
  fileprivate func free() -> Errno? {
    do throws(Errno) {
      // A port is given back when a socket of TCP leaves a state, and until now it has none.
      if isTCP { try listenHere() }
      try disconnect()
      let any = IPAddress(bytes: [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16))
      guard let any else { return .addressFamilyNotSupported }
      // Without a port, so that the kernel chooses both when it knows the destination.
      try setOption(Int32(IPPROTO_IP), Self.bindAddressNoPort, 1)
      try bind(to: IPEndpoint(any, port: 0))
      try setOption(Int32(IPPROTO_IP), Self.bindAddressNoPort, 0)
      return nil
    } catch {
      return error
    }
  }

  /// IP_BIND_ADDRESS_NO_PORT, which Glibc's module does not have on each system.
  private static var bindAddressNoPort: Int32 { 24 }
}
