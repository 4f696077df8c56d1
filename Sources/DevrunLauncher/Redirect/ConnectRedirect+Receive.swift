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
      if error == .notPermitted { reportForbidden(call) }
      // Otherwise the caller is gone, or its descriptor is none.
      return false
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
  func reportForbidden(_ call: devrun_notification) {
    guard !state.withLock({ $0.isReleased }), !hasReported.exchange(true, ordering: .relaxed) else { return }
    // It may be gone already.
    let name = try? Descriptor.open(RawString("/proc/\(call.thread)/comm"), O_RDONLY).readToEnd()
    let program = name.map { " (\(String(decoding: $0.dropLast(), as: UTF8.self)))" } ?? ""
    StandardStreams.printError(
      "devrun: connections of process \(call.thread)\(program) are not redirected: it may not be traced from here. It "
        + "runs as another user, or has forbidden it (prctl PR_SET_DUMPABLE), or a security module does "
        + "(`sysctl kernel.yama.ptrace_scope` must be 0 or 1). This is said only once.")
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
    guard
      let socket = try CallerSocket(
        of: call.thread, number: number, family: family, ofAnyKind: isMoved, features: features),
      try isOfThisNetwork(socket, thread: call.thread)
    else { return false }
    // A V6ONLY socket cannot reach IPv4; the kernel says so.
    if destination.isIPv4, try socket.isIPv6Only { return false }
    if !socket.isTCP {
      return connectDatagram(socket, to: places.place(of: destination, port: port, isTCP: false), for: call)
    }
    // Only now it is certain that memory and socket were the caller's.
    guard devrun_notification_is_valid(listener.number, call.id) else { return true }

    let trapped = TrappedConnect(
      key: .init(inode: socket.inode, address: address, port: port), destination: IPEndpoint(destination, port: port),
      socket: socket, listener: listener, caller: call.id)
    return enqueue(trapped, caller: call.id)
  }

  private func enqueue(_ trapped: TrappedConnect, caller: UInt64) -> Bool {
    state.withLock { state in
      if state.isReleased { return false }
      if let same = state.pending[trapped.key] {
        // Repeated after a signal: the dial goes on.
        same.join(caller)
        return true
      }
      if !trapped.socket.isFresh {
        guard state.answered.recalls(trapped.key, at: .now) else { return false }
        trapped.answer(nil)
        return true
      }
      state.dropAbandoned(features)
      state.pending[trapped.key] = trapped
      if let consumer = state.consumer { consumer.yield(trapped) } else { state.early.append(trapped) }
      return true
    }
  }

  /// A descendant in a network namespace of its own means its own addresses.
  func isOfThisNetwork(_ socket: CallerSocket, thread: pid_t) throws(Errno) -> Bool {
    if let networkNamespace { return try socket.networkNamespace == networkNamespace }
    return try FileKind.at("/proc/self/ns/net") == FileKind.at(RawString("/proc/\(thread)/ns/net"))
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
