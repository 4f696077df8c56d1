import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization

/// What the receiving thread does with a trapped call.
extension ConnectRedirect {
  /// Answers the call, or hands it on. A foreign call is answered without allocating.
  func deal(with call: devrun_notification, memory: UnsafeMutableRawBufferPointer) {
    switch call.call {
    case DEVRUN_CALL_CONNECT:
      if connect(call, address: call.arguments.1, length: call.arguments.2, memory: memory) { return }
    case DEVRUN_CALL_SOCKETCALL_CONNECT:
      if let direct = direct(call, memory: memory),
        connect(direct, address: direct.arguments.1, length: direct.arguments.2, memory: memory)
      {
        return
      }
    case DEVRUN_CALL_BIND:
      if bind(call, memory: memory) { return }
    case DEVRUN_CALL_SOCKETCALL_BIND:
      if let direct = direct(call, memory: memory), bind(direct, memory: memory) { return }
    case DEVRUN_CALL_LISTEN, DEVRUN_CALL_SOCKETCALL_LISTEN:
      listen(call, memory: memory)
      return
    case DEVRUN_CALL_OPEN, DEVRUN_CALL_OPEN_HOW:
      if open(call, memory: memory) { return }
    default:
      break
    }
    // The caller may be gone meanwhile: nobody is left to be answered then.
    _ = devrun_answer_continue(listener.number, call.id)
  }

  /// Takes a connect to an address of the session. Whether it did.
  private func connect(
    _ call: devrun_notification, address: UInt64, length: UInt64, memory: UnsafeMutableRawBufferPointer
  ) -> Bool {
    let wanted = min(Int(truncatingIfNeeded: length), SocketAddress.room)
    guard wanted > 0 else { return false }
    let count = devrun_read_memory(call.thread, address, memory.baseAddress, wanted)
    if count == -Int(EPERM) { reportForbidden(call) }
    if count == wanted, hidesSocket(memory[..<wanted]) {
      // As if there were no such socket.
      _ = devrun_answer(listener.number, call.id, 0, ENOENT)
      return true
    }
    guard count == wanted,
      let target = SocketAddress.read(UnsafeRawBufferPointer(memory)[..<wanted].rebased)
    else { return false }
    guard table.contains(target.address, port: target.port) || places.moves(target.address, port: target.port) else {
      return freeSource(call, family: target.family, address: target.address)
    }
    do throws(Errno) {
      return try take(call, family: target.family, address: target.address, port: target.port)
    } catch {
      return refuse(call, error)
    }
  }

  /// Whether the address is that of a Unix socket which the child must not find.
  private func hidesSocket(_ address: Slice<UnsafeMutableRawBufferPointer>) -> Bool {
    let header = MemoryLayout<sa_family_t>.size
    guard address.count > header, Int32(address.base.loadUnaligned(as: sa_family_t.self)) == AF_UNIX else {
      return false
    }
    return files.hides(socketAt: address.dropFirst(header))
  }

  /// Says, once, that there is a process whose connects cannot be seen or taken: the kernel lets nobody look into it from
  /// here (ptrace(2), "Ptrace access mode checking").
  private func reportForbidden(_ call: devrun_notification) {
    guard !state.withLock({ $0.isReleased }), !hasReported.exchange(true, ordering: .relaxed) else { return }
    StandardStreams.printError(
      "devrun: connections of \(caller(of: call)) are not redirected: it may not be traced from here. It "
        + "runs as another user, or has forbidden it (prctl PR_SET_DUMPABLE), or a security module does "
        + "(`sysctl kernel.yama.ptrace_scope` must be 0 or 1). This is said only once.")
  }

  /// Reports, once, that a socket cannot be bound to the pod's address. The caller's memory could be read; so it is the call
  /// itself that is forbidden here.
  func reportForbiddenBind(_ call: devrun_notification) {
    guard !state.withLock({ $0.isReleased }), !hasReportedFailure.exchange(true, ordering: .relaxed) else { return }
    StandardStreams.printError(
      "devrun: a socket of \(caller(of: call)) is not bound to the loopback interface in place of the pod's address. A "
        + "container's seccomp profile may forbid what this takes (pidfd_getfd): start the container with "
        + "--cap-add SYS_PTRACE. This is said only once.")
  }

  /// The process that calls, in words.
  func caller(of call: devrun_notification) -> String {
    // It may be gone already.
    let name = try? Descriptor.open(RawString("/proc/\(call.thread)/comm"), O_RDONLY).readToEnd()
    let program = name.map { " (\(String(decoding: $0.dropLast(), as: UTF8.self)))" } ?? ""
    return "process \(call.thread)\(program)"
  }

  /// Refuses a connect to an address of the session that cannot be redirected: elsewhere the address may be somebody else's.
  /// Whether it was answered. The kernel finds out by itself that a caller is gone, or that its descriptor is no TCP socket.
  private func refuse(_ call: devrun_notification, _ error: Errno) -> Bool {
    let number = Int32(truncatingIfNeeded: call.arguments.0)
    if [.noSuchProcess, .noEntry].contains(error) || [EBADF, ENOTSOCK, EOPNOTSUPP].contains(error.rawValue) {
      return false
    }
    // No descriptor is needed for this.
    if let kind = try? SocketKind.of(call.thread, descriptor: number), !kind.isTCP { return false }
    if error == .notPermitted || error == .accessDenied {
      reportForbidden(call)
    } else if !state.withLock({ $0.isReleased }), !hasReportedFailure.exchange(true, ordering: .relaxed) {
      let isFull = error.rawValue == EMFILE || error.rawValue == ENFILE
      StandardStreams.printError(
        "devrun: a connection to the cluster cannot be made: \(error)."
          + (isFull ? " Each takes a descriptor of devrun's: raise the limit of open files (`ulimit -n`)." : "")
          + " This is said only once.")
    }
    _ = devrun_answer(listener.number, call.id, 0, Errno.networkUnreachable.rawValue)
    return true
  }

  /// A call that was made in i386's way, in the form of others: its arguments are in the caller's memory.
  private func direct(
    _ call: devrun_notification, memory: UnsafeMutableRawBufferPointer
  ) -> devrun_notification? {
    let size = 3 * MemoryLayout<UInt32>.size
    guard devrun_read_memory(call.thread, call.arguments.1, memory.baseAddress, size) == size else { return nil }
    let words = (0..<3).map { UInt64(memory.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)) }
    var direct = call
    (direct.arguments.0, direct.arguments.1, direct.arguments.2) = (words[0], words[1], words[2])
    return direct
  }

  private func take(
    _ call: devrun_notification, family: Int32, address: AddressKey, port: UInt16
  ) throws(Errno) -> Bool {
    guard !state.withLock({ $0.isReleased }), let destination = address.address else { return false }
    let number = Int32(truncatingIfNeeded: call.arguments.0)
    let isMoved = places.moves(address, port: port)
    let duplicate: CallerSocket?
    do throws(Errno) {
      duplicate = try CallerSocket(
        of: call.thread, number: number, family: family, ofAnyKind: isMoved, features: features)
    } catch .notPermitted, .noSuchCall {
      // Its memory could be read. So it is the call itself that is forbidden here, as in a container.
      return try takeByPlacing(call, family: family, address: address, port: port)
    }
    guard let socket = duplicate, try isOfThisNetwork(socket, thread: call.thread) else { return false }
    // A V6ONLY socket cannot reach IPv4; the kernel says so.
    if destination.isIPv4, try socket.isIPv6Only { return false }
    if !socket.isTCP {
      return connectDatagram(socket, to: places.place(of: destination, port: port, isTCP: false), for: call)
    }
    // Only now it is certain that memory and socket were the caller's.
    guard devrun_notification_is_valid(listener.number, call.id) else { return true }

    let key = TrappedConnect.Key(inode: socket.inode, address: address, port: port)
    let isClosed = socket.isClosed
    switch repeats(key, call, isNonBlocking: socket.isNonBlocking, isClosed: isClosed) {
    case .isAnswered: return true
    case .isNew: break
    case .isUnknown: if isClosed == false { return false }
    }
    return enqueue(socket, key, IPEndpoint(destination, port: port), call)
  }

  /// What a call of a socket is to devrun.
  enum Repetition {
    /// It was answered, or waits, as the repetition of one that a signal has interrupted.
    case isAnswered
    /// It is no repetition.
    case isNew
    /// It is none that devrun remembers. If the socket is connected, it is the kernel's.
    case isUnknown
  }

  /// Answers the call if it is the repetition of one that a signal has interrupted.
  ///
  /// - Parameters:
  ///   - isNonBlocking: whether the socket's calls do not wait.
  ///   - isClosed: whether the socket is not connected; `nil` where that is not known.
  func repeats(
    _ key: TrappedConnect.Key, _ call: devrun_notification, isNonBlocking: Bool, isClosed: Bool?
  ) -> Repetition {
    state.withLock { state in
      if let same = state.pending[key] {
        // Its program has disconnected it meanwhile. One that was put in place is still held.
        let isClosed = isClosed ?? (state.placed.contains(key.inode) ? same.socket.isClosed : nil)
        if isClosed == true, same.isConnected { return .isNew }
        if isNonBlocking, !same.isNonBlocking {
          // Its program does not want to wait any more.
          _ = devrun_answer(listener.number, call.id, 0, EALREADY)
        } else {
          // The dial goes on.
          same.join(call.id)
        }
        return .isAnswered
      }
      if isClosed == true { return .isNew }
      guard state.answered.recalls(key, of: call.thread, at: .now) else { return .isUnknown }
      _ = devrun_answer(listener.number, call.id, 0, 0)
      return .isAnswered
    }
  }

  /// Hands a new call of a socket on, which is connected before if it is known where to. Whether it did.
  func enqueue(
    _ socket: CallerSocket, _ key: TrappedConnect.Key, _ destination: IPEndpoint, _ call: devrun_notification
  ) -> Bool {
    let trapped = TrappedConnect(
      key: key, destination: destination, socket: socket, joined: join(socket, key, destination), listener: listener,
      call: call)
    let isTaken = enqueue(trapped)
    // The session has ended meanwhile.
    if !isTaken, trapped.joined != nil { socket.withdraw(isReported: true) }
    return isTaken
  }

  /// Connects the socket to the listener that an earlier connect has shown. From now on a signal that interrupts the call
  /// leaves a connected socket.
  private func join(
    _ socket: CallerSocket, _ key: TrappedConnect.Key, _ destination: IPEndpoint
  ) -> TrappedConnect.Joined? {
    guard let acceptor = state.withLock({ $0.isReleased ? nil : $0.acceptors.acceptor(for: destination) }),
      !places.moves(key.address, port: key.port)
    else { return nil }
    do throws(Errno) {
      let connection = try socket.connectAtOnce(to: acceptor)
      let isComplete = connection.error == nil || socket.isNonBlocking
      // Its queue is full: no further call is to find that out in this thread.
      if !isComplete { state.withLock { $0.acceptors.forget(destination) } }
      return .init(acceptor: acceptor, connection: connection, isComplete: isComplete)
    } catch {
      // It is tried again, in the way of the first connect.
      state.withLock { $0.acceptors.forget(destination) }
      return nil
    }
  }

  private func enqueue(_ trapped: TrappedConnect) -> Bool {
    state.withLock { state in
      if state.isReleased { return false }
      state.dropAbandoned()
      state.pending[trapped.key] = trapped
      if let consumer = state.consumer { consumer.yield(trapped) } else { state.early.append(trapped) }
      return true
    }
  }

  /// A descendant in a network namespace of its own means its own addresses.
  func isOfThisNetwork(_ socket: CallerSocket, thread: pid_t) throws(Errno) -> Bool {
    if let networkNamespace { return try socket.networkNamespace == networkNamespace }
    return try isOfThisNetwork(thread: thread)
  }

  /// Whether a thread is in this process's network namespace, though its socket may be of another one.
  func isOfThisNetwork(thread: pid_t) throws(Errno) -> Bool {
    try FileKind.at("/proc/self/ns/net") == FileKind.at(RawString("/proc/\(thread)/ns/net"))
  }

  /// Continues the call before anything else is done about it: nobody who listens waits for devrun.
  private func listen(_ call: devrun_notification, memory: UnsafeMutableRawBufferPointer) {
    var number = Int32(truncatingIfNeeded: call.arguments.0)
    if call.call == DEVRUN_CALL_SOCKETCALL_LISTEN {
      let size = MemoryLayout<Int32>.size
      let count = devrun_read_memory(call.thread, call.arguments.1, memory.baseAddress, size)
      number = count == size ? memory.loadUnaligned(as: Int32.self) : -1
    }
    // The caller may be gone meanwhile.
    _ = devrun_answer_continue(listener.number, call.id)
    listens?.trapped(thread: call.thread, descriptor: number)
  }

  private func open(_ call: devrun_notification, memory: UnsafeMutableRawBufferPointer) -> Bool {
    guard let (file, closeOnExec) = files.replacement(for: call, memory: memory),
      devrun_notification_is_valid(listener.number, call.id)
    else { return false }
    let inOneStep = features.contains(.answerByDescriptor)
    return devrun_answer_descriptor(listener.number, call.id, file.number, closeOnExec, inOneStep) == 0
  }
}

extension Slice<UnsafeRawBufferPointer> {
  /// The bytes of the slice, counted from 0.
  var rebased: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self) }
}
