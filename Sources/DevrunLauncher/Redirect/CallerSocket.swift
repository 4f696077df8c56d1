import CLinux
import DevrunCore
import DevrunSystem
import Glibc

/// A duplicate of a socket of the child, or of one of its descendants: what is done to it is done to theirs.
struct CallerSocket: Sendable {
  private let descriptor: Descriptor
  /// AF_INET or AF_INET6.
  let family: Int32
  /// Whether it is a TCP socket.
  let isTCP: Bool
  /// Whether it is a UDP socket.
  let isUDP: Bool
  /// The socket's number in the kernel's own file system: two duplicates of one socket share it.
  let inode: UInt64

  /// A socket of this process that was put in the place of a caller's.
  init(_ descriptor: Descriptor, family: Int32) throws(Errno) {
    self.descriptor = descriptor
    self.family = family
    isTCP = true
    isUDP = false
    inode = UInt64(try descriptor.status().st_ino)
  }

  /// Duplicates a descriptor of a thread. `nil` if that is no TCP socket of the given family.
  ///
  /// - Parameter ofAnyKind: whether a socket of the family need not be one of TCP.
  /// - Throws: what the kernel says: the thread is gone, or may not be traced from here.
  init?(
    of thread: pid_t, number: Int32, family: Int32, ofAnyKind: Bool = false, features: KernelFeatures
  ) throws(Errno) {
    let process = try Self.openProcess(of: thread, features: features)
    let descriptor = Descriptor(try shim { devrun_pidfd_getfd(process.number, number) })
    let domain = try descriptor.option(SOL_SOCKET, SO_DOMAIN)
    let transport = try descriptor.option(SOL_SOCKET, SO_PROTOCOL)
    isTCP = transport == Int32(IPPROTO_TCP) || transport == Self.multipathTCP
    isUDP = transport == Int32(IPPROTO_UDP)
    guard domain == family, isTCP || ofAnyKind else { return nil }
    inode = UInt64(try descriptor.status().st_ino)
    self.descriptor = descriptor
    self.family = family
  }

  /// IPPROTO_MPTCP, which Glibc's module does not have.
  static let multipathTCP: Int32 = 262

  /// Whether it is neither connected, nor on its way to that, nor a listener. `nil` where the kernel does not tell
  /// (multipath TCP on older kernels).
  var isClosed: Bool? {
    let state = devrun_tcp_state(descriptor.number)
    // TCP_CLOSE.
    return state < 0 ? nil : state == 7
  }

  /// Whether nothing has been done to connect it, or a listener made of it, yet.
  var isFresh: Bool { isClosed ?? true }

  /// Whether its calls don't wait.
  var isNonBlocking: Bool { fcntl(descriptor.number, F_GETFL) & O_NONBLOCK != 0 }

  /// Whether it takes no IPv4 addresses in their mapped form.
  var isIPv6Only: Bool {
    get throws(Errno) {
      guard family == AF_INET6 else { return false }
      return try descriptor.option(Int32(IPPROTO_IPV6), IPV6_V6ONLY) != 0
    }
  }

  /// Lets it take IPv4 addresses in their mapped form.
  func admitIPv4() throws(Errno) {
    if try isIPv6Only { try setOption(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
  }

  /// Sets an option that is a number.
  func setOption(_ level: Int32, _ name: Int32, _ value: Int32) throws(Errno) {
    var value = value
    try system { setsockopt(descriptor.number, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) }
  }

  /// How long its calls wait, if that is bounded (SO_SNDTIMEO).
  var timeout: Duration? {
    get throws(Errno) {
      let time = try sendTimeout
      let duration = Duration.seconds(time.tv_sec) + .microseconds(time.tv_usec)
      return duration == .zero ? nil : duration
    }
  }

  private var sendTimeout: timeval {
    get throws(Errno) {
      var time = timeval()
      var length = socklen_t(MemoryLayout<timeval>.size)
      try system { getsockopt(descriptor.number, SOL_SOCKET, SO_SNDTIMEO, &time, &length) }
      return time
    }
  }

  private func setSendTimeout(_ time: timeval) throws(Errno) {
    var time = time
    try system {
      setsockopt(descriptor.number, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  /// The cookie of its network namespace.
  var networkNamespace: UInt64 {
    get throws(Errno) { try descriptor.networkNamespace }
  }

  /// Gives the duplicate up: from now on the socket lives and ends with its owners' descriptors. Nothing else may be done
  /// with it afterwards.
  func release() { descriptor.close() }

  /// Binds it.
  func bind(to endpoint: IPEndpoint) throws(Errno) {
    try SocketAddress.withEndpoint(endpoint, family: family) { (address, length) throws(Errno) in
      _ = try system { Glibc.bind(descriptor.number, address, length) }
    }
  }

  /// Makes a listener of it, which nobody accepts from.
  func listenHere() throws(Errno) {
    try system { Glibc.listen(descriptor.number, 0) }
  }

  /// Takes back its connection, which the far end has refused.
  ///
  /// - Parameter isReported: whether the caller gets the error as the answer to its call. If not, the socket has one for who
  ///   asks for it.
  func withdraw(isReported: Bool) {
    // Fails if it never was connected.
    do throws(Errno) {
      try disconnect()
      if isReported { _ = try descriptor.option(SOL_SOCKET, SO_ERROR) }
    } catch {}
  }

  /// Takes back what it is connected to, and that it listens (connect(2), AF_UNSPEC).
  func disconnect() throws(Errno) {
    var nowhere = sockaddr(sa_family: sa_family_t(AF_UNSPEC), sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    try system { Glibc.connect(descriptor.number, &nowhere, socklen_t(MemoryLayout<sockaddr>.size)) }
  }

  /// Where it is bound.
  var local: IPEndpoint {
    get throws(Errno) { try descriptor.localEndpoint() }
  }

  /// Connects it.
  ///
  /// A listener of this machine answers at once, unless its queue is full: a socket that waits then waits for seconds.
  /// That is done by a thread of its own, so that no cooperative thread is held up; when the task is cancelled meanwhile,
  /// it fails.
  ///
  /// - Returns: where it is bound, and what `connect` failed with, if it did: for a socket that does not wait this is
  ///   EINPROGRESS.
  func connect(to endpoint: IPEndpoint) async throws(Errno) -> Connection {
    let first = try connectAtOnce(to: endpoint)
    if first.error == nil || isNonBlocking { return first }
    let result = Latch<Result<Connection, Errno>>()
    try NativeThread.start(name: "devrun-join") {
      result.set(Result { () throws(Errno) in try finishConnecting(to: endpoint) })
    }
    let connection = await withTaskCancellationHandler {
      await result.uncancelledValue()
    } onCancel: {
      // A socket that is being connected is disconnected by this, which ends the waiting for it.
      _ = shutdown(descriptor.number, Int32(SHUT_RDWR))
    }
    return try connection.get()
  }

  /// Waits until it is connected, which has begun.
  private func finishConnecting(to endpoint: IPEndpoint) throws(Errno) -> Connection {
    var source = pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0)
    try system { poll(&source, 1, -1) }
    let error = try descriptor.option(SOL_SOCKET, SO_ERROR)
    if error != 0 || isClosed == true {
      try disconnect()
      throw error != 0 ? Errno(rawValue: error) : .cancelled
    }
    // The kernel notes only now that it is connected.
    return try connectAtOnce(to: endpoint)
  }

  /// What came of connecting a socket.
  struct Connection: Sendable {
    /// Where it is bound.
    var local: IPEndpoint
    /// What `connect` failed with.
    var error: Errno?
  }

  /// Connects it, and waits as long as that takes it.
  func connectHere(to endpoint: IPEndpoint) throws(Errno) -> Connection {
    // Else the connection would only be made with the first byte that the child sends. Fails on multipath TCP, which
    // has no such option.
    _ = devrun_disable_fast_open(descriptor.number)
    // What an earlier connection of an interrupted call has left is not this one's.
    _ = try descriptor.option(SOL_SOCKET, SO_ERROR)
    if endpoint.address.isIPv4 { try admitIPv4() }
    let failure = try connectAnew(to: endpoint)
    return Connection(local: try descriptor.localEndpoint(), error: failure)
  }

  /// Connects it as far as that goes at once, also where its calls wait.
  ///
  /// - Returns: as `connectHere`. EINPROGRESS, for a socket whose calls wait, means that a further `connect` has to wait.
  func connectAtOnce(to endpoint: IPEndpoint) throws(Errno) -> Connection {
    if isNonBlocking { return try connectHere(to: endpoint) }
    let timeout = try sendTimeout
    // The shortest that the kernel takes: zero stands for no bound.
    try setSendTimeout(timeval(tv_sec: 0, tv_usec: 1))
    let result = Result { () throws(Errno) in try connectHere(to: endpoint) }
    try setSendTimeout(timeout)
    return try result.get()
  }

  /// Connects it, also after a connection that was reset: an interrupted call's to the listener.
  private func connectAnew(to endpoint: IPEndpoint) throws(Errno) -> Errno? {
    do throws(Errno) {
      return try connectOnce(to: endpoint)
    } catch .isConnected where isClosed == true {
      try disconnect()
      return try connectOnce(to: endpoint)
    }
  }

  /// EINPROGRESS, or nothing.
  private func connectOnce(to endpoint: IPEndpoint) throws(Errno) -> Errno? {
    do throws(Errno) {
      try SocketAddress.withEndpoint(endpoint, family: family) { (address, length) throws(Errno) in
        _ = try system { Glibc.connect(descriptor.number, address, length) }
      }
      return nil
    } catch .inProgress {
      return .inProgress
    }
  }

  /// A descriptor of the process, or thread, to whose open files the thread's descriptors belong.
  private static func openProcess(of thread: pid_t, features: KernelFeatures) throws(Errno) -> Descriptor {
    if features.contains(.threadDescriptors) {
      do throws(Errno) {
        return Descriptor(try shim { devrun_pidfd_open(thread, true) })
      } catch .invalidArgument {
        // An older kernel: its pidfds stand for processes.
      }
    }
    let status = try Descriptor.open(RawString("/proc/\(thread)/status"), O_RDONLY).readToEnd()
    let line = status.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Tgid:".utf8) }
    let group = line.flatMap { line in
      pid_t(String(decoding: line.dropFirst(5).drop { $0 == UInt8(ascii: "\t") }, as: UTF8.self))
    }
    guard let group else { throw .noSuchProcess }
    return Descriptor(try shim { devrun_pidfd_open(group, false) })
  }
}

extension Descriptor {
  /// A socket option that is a number.
  func option(_ level: Int32, _ name: Int32) throws(Errno) -> Int32 {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    try system { getsockopt(number, level, name, &value, &length) }
    return value
  }

  /// The cookie of a socket's network namespace.
  var networkNamespace: UInt64 {
    get throws(Errno) {
      var cookie: UInt64 = 0
      try shim { devrun_network_namespace(number, &cookie) }
      return cookie
    }
  }

  /// Where a socket is bound.
  func localEndpoint() throws(Errno) -> IPEndpoint {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    try withUnsafeMutablePointer(to: &storage) { (storage) throws(Errno) in
      _ = try storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { (address) throws(Errno) in
        try system { getsockname(number, address, &length) }
      }
    }
    let local = withUnsafeBytes(of: &storage) { SocketAddress.read($0) }
    guard let local, let address = local.address.address else { throw .addressFamilyNotSupported }
    return IPEndpoint(address, port: local.port)
  }
}
