import CLinux
import DevrunCore
import DevrunSystem
import Glibc
import Synchronization

/// What the receiving thread does with a `connect` where no socket of another process can be duplicated: `pidfd_getfd` is
/// forbidden by the default seccomp profiles of Docker and containerd.
///
/// A new socket is put in the place of the caller's, by seccomp's own means. Its family, its transport, and whether its calls
/// wait, are those of the caller's. What cannot be seen from outside is lost: options that were set before, an address that it
/// was bound to, and its registration with an epoll instance. Copies of the descriptor go on to be the old socket.
extension ConnectRedirect {
  /// Takes a connect to an address of the session. Whether it did.
  func takeByPlacing(
    _ call: devrun_notification, family: Int32, address: AddressKey, port: UInt16
  ) throws(Errno) -> Bool {
    let number = Int32(truncatingIfNeeded: call.arguments.0)
    let kind = try SocketKind.of(call.thread, descriptor: number)
    guard let destination = address.address, kind.isTCP, kind.family == family,
      try isOfThisNetwork(thread: call.thread),
      let present = try SocketLink.inode(of: call.thread, descriptor: number)
    else { return false }
    let flags = try SocketKind.flags(of: call.thread, descriptor: number)
    if state.withLock({ $0.placed.contains(present) }) {
      // One of those that were put there before.
      let key = TrappedConnect.Key(inode: present, address: address, port: port)
      switch repeats(key, call, isNonBlocking: flags & O_NONBLOCK != 0, isClosed: nil) {
      case .isAnswered: return true
      case .isNew: break
      case .isUnknown: if SocketTable.lists(present, of: call.thread) { return false }
      }
    }
    if flags & O_NONBLOCK != 0 { reportEvents(call, number) }
    let transport = kind.isMultipath ? CallerSocket.multipathTCP : 0
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | flags & O_NONBLOCK
    let descriptor = Descriptor(try system { Glibc.socket(family, type, transport) })
    let socket = try CallerSocket(descriptor, family: family)
    do throws(Errno) {
      try shim {
        devrun_place_descriptor(listener.number, call.id, descriptor.number, number, flags & O_CLOEXEC != 0)
      }
    } catch .noEntry {
      // The caller waits no longer: it was gone before.
      return true
    } catch .noSuchProcess {
      // A signal has interrupted it meanwhile.
      return true
    }
    state.withLock { $0.placed.insert(socket.inode) }
    return enqueue(
      socket, TrappedConnect.Key(inode: socket.inode, address: address, port: port),
      IPEndpoint(destination, port: port), call)
  }
}

extension ConnectRedirect {
  /// Reports, once, that an event loop may get no events of a socket, because it was registered before.
  private func reportEvents(_ call: devrun_notification, _ number: Int32) {
    guard !hasReportedEvents.load(ordering: .relaxed), EventPoll.watches(number, of: call.thread),
      !hasReportedEvents.exchange(true, ordering: .relaxed)
    else { return }
    StandardStreams.printError(
      "devrun: \(caller(of: call)) waits for events of a socket that was registered with epoll before it is connected. It "
        + "may not get any: devrun puts another socket in its place, because a container's seccomp profile forbids to take "
        + "the socket itself (pidfd_getfd). Start the container with --cap-add SYS_PTRACE. This is said only once.")
  }
}

/// The epoll instances of other processes, as /proc shows them (proc(5), `/proc/PID/fdinfo`).
enum EventPoll {
  /// How many descriptors are looked at. An event loop is older than its connections.
  private static let count: Int32 = 64

  /// Whether an instance of the thread's process watches the descriptor.
  static func watches(_ number: Int32, of thread: pid_t) -> Bool {
    (0..<count).contains { candidate in
      // What cannot be looked at is none.
      guard let link = try? SymbolicLink.target(of: RawString("/proc/\(thread)/fd/\(candidate)")),
        link.description == "anon_inode:[eventpoll]",
        let text = try? Descriptor.open(RawString("/proc/\(thread)/fdinfo/\(candidate)"), O_RDONLY).readToEnd()
      else { return false }
      return text.split(separator: UInt8(ascii: "\n")).contains { line in
        let fields = line.split(separator: UInt8(ascii: " "))
        return fields.count > 1 && fields[0].elementsEqual("tfd:".utf8) && fields[1].elementsEqual("\(number)".utf8)
      }
    }
  }
}

/// The sockets that were put in the place of others, by their numbers in the kernel's own file system: the newest of them.
struct PlacedSockets {
  private static let capacity = 1 << 16

  private var sockets: Set<UInt64> = []
  private var order: [UInt64] = []

  /// Whether the socket is one of them.
  func contains(_ socket: UInt64) -> Bool { sockets.contains(socket) }

  /// One more.
  mutating func insert(_ socket: UInt64) {
    if order.count >= Self.capacity {
      sockets.subtract(order.prefix(Self.capacity / 2))
      order.removeFirst(Self.capacity / 2)
    }
    if sockets.insert(socket).inserted { order.append(socket) }
  }
}

/// What a socket of another process is, as the kernel shows it without handing it out.
struct SocketKind {
  /// The name of its protocol, such as `TCP` or `UDPv6`.
  private let name: String

  /// What a descriptor of a thread is.
  ///
  /// - Throws: the kernel's answer: it is no socket, there is no such thread or descriptor, or it may not be looked at.
  static func of(_ thread: pid_t, descriptor number: Int32) throws(Errno) -> SocketKind {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = try shim {
      devrun_get_attribute("/proc/\(thread)/fd/\(number)", "system.sockprotoname", &bytes, bytes.count)
    }
    return SocketKind(name: String(decoding: bytes[..<count].prefix { $0 != 0 }, as: UTF8.self))
  }

  /// AF_INET6 or AF_INET.
  var family: Int32 { name.hasSuffix("v6") ? AF_INET6 : AF_INET }
  /// Whether it is a TCP socket.
  var isTCP: Bool { name == "TCP" || name == "TCPv6" || isMultipath }
  /// Whether it is one of multipath TCP.
  var isMultipath: Bool { name.hasPrefix("MPTCP") }

  /// The flags of a descriptor of a thread, as for open(2).
  static func flags(of thread: pid_t, descriptor number: Int32) throws(Errno) -> Int32 {
    let text = try Descriptor.open(RawString("/proc/\(thread)/fdinfo/\(number)"), O_RDONLY).readToEnd()
    let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "flags:".utf8) }
    let digits = line.map { String(decoding: $0.dropFirst(6).drop { $0 == UInt8(ascii: "\t") }, as: UTF8.self) }
    guard let flags = digits.flatMap({ Int32($0, radix: 8) }) else { throw .noEntry }
    return flags
  }
}

/// The kernel's table of the TCP sockets that are connected, or listen (proc(5), `/proc/net/tcp`).
enum SocketTable {
  /// Whether it lists a socket of the thread's network. `true` where that cannot be found out.
  static func lists(_ inode: UInt64, of thread: pid_t) -> Bool {
    ["tcp", "tcp6"].contains { name in
      guard let text = try? Descriptor.open(RawString("/proc/\(thread)/net/\(name)"), O_RDONLY).readToEnd() else {
        // A machine without IPv6 has no table for it.
        return name == "tcp"
      }
      return lines(of: text, with: " \(inode) ").contains { line in
        let fields = line.split(separator: UInt8(ascii: " "))
        return fields.count > 9 && fields[9].elementsEqual(String(inode).utf8)
      }
    }
  }

  /// The lines that hold a word. The table of a busy machine is long.
  private static func lines(of text: [UInt8], with word: String) -> [ArraySlice<UInt8>] {
    var found: [ArraySlice<UInt8>] = []
    (text + [0]).withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
      var next = 0
      while let hit = strstr(start + next, word) {
        let place = UnsafePointer(hit) - start
        let first = text[..<place].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let last = text[place...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
        found.append(text[first..<last])
        next = last
      }
    }
    return found
  }
}
