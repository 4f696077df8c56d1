import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization

/// Reports what begins to listen on this machine's TCP ports while the command runs.
///
/// What the command and its descendants do is learnt from their own trapped calls of `listen`, each of which has been
/// continued already when it is reported here: nobody waits for this. Which socket it is, /proc says; whether it listens by
/// now, and where, the kernel's table of listeners. There is no event for that, so the table is read now and again for a
/// short time. The socket itself is not touched: a duplicate would keep its port taken when its owners close it.
///
/// A process that may not be looked into, and one that is no descendant of the command's (a container that a daemon
/// starts), is found in the table alone. It is read at a modest period, as long as an expected port has no listener.
///
/// A thread of its own does all this. It ends by `end`.
final class ListenWatch: Sendable {
  /// How often the table is read without an occasion.
  static let period: Duration = .milliseconds(500)
  /// How long after each look for a trapped socket the next one follows. It is given up after the last.
  static let pauses: [Duration] = [1, 2, 5, 20, 100, 400].map { .milliseconds($0) }

  private let events: Broadcast<ListenEvent>
  private let state: Mutex<State>

  /// What is shared between the thread and the others.
  private struct State {
    /// The trapped calls that the thread has not taken yet: the sockets' numbers.
    var calls: Set<UInt64> = []
    /// Whether there was a call of a process that may not be looked into, or is gone.
    var hasHidden = false
    /// The ports that were reported as forbidden.
    var forbidden: Set<UInt16> = []
    /// What wakes the thread; `nil`: all is over.
    var bell: Descriptor?
  }

  /// Starts to watch. To be called while the command waits for its start: what listens now is older than the command.
  ///
  /// - Parameters:
  ///   - ports: the expected ports.
  ///   - inherited: the descriptors that the command is started with; a listener among them is the command's own.
  ///   - events: where the events are sent to.
  init(ports: Set<UInt16>, inherited: [Int32], events: Broadcast<ListenEvent>) throws(Errno) {
    self.events = events
    let (listening, bell) = try Descriptor.pipe()
    for end in [listening, bell] { try system { fcntl(end.number, F_SETFL, O_NONBLOCK) } }
    state = Mutex(State(bell: bell))
    let older = try TCPListener.all()
    // One of them that is no descriptor any more is none of the command's either.
    let own = Set(inherited.compactMap { (try? SocketLink.inode(of: getpid(), descriptor: $0)) ?? nil })
    try NativeThread.start(name: "devrun-listen") { [self] in
      var decision = ListenDecision(expected: ports)
      send(decision.begin(with: older, inherited: own) { SocketLink.owner(of: $0.inode) })
      watch(decision, bell: listening)
    }
  }

  /// Looks after a call of `listen` that was continued. Never waits.
  func trapped(thread: pid_t, descriptor: Int32) {
    var call: UInt64?
    do throws(Errno) {
      call = try SocketLink.inode(of: thread, descriptor: descriptor)
      // The kernel refuses to make anything else listen.
      if call == nil { return }
    } catch {
      // It may not be looked into, or is gone already and may have left the socket to others.
    }
    state.withLock { state in
      guard let bell = state.bell else { return }
      if let call { state.calls.insert(call) } else { state.hasHidden = true }
      var byte: UInt8 = 1
      // Fails where the pipe is full: the thread wakes all the same.
      _ = write(bell.number, &byte, 1)
    }
  }

  /// Reports a port that the command wants and may not have. Each is reported once.
  func forbids(_ port: UInt16) {
    if state.withLock({ $0.forbidden.insert(port).inserted }) { send([.forbidden(port: port)]) }
  }

  /// Ends the watch: nothing is sent any more.
  func end() {
    // Under the lock, because the number may be another descriptor's once this one is closed.
    state.withLock { state in
      state.bell?.close()
      state.bell = nil
    }
  }

  private func send(_ found: [ListenEvent]) {
    for event in found where state.withLock({ $0.bell != nil }) { events.send(event) }
  }
}

/// The thread's part.
extension ListenWatch {
  /// The looks for a trapped socket.
  private struct Search {
    /// The socket; `nil`: it is not known which.
    var socket: UInt64?
    var looks = 0
    var due: ContinuousClock.Instant
  }

  /// Watches until the end.
  private func watch(_ first: ListenDecision, bell: Descriptor) {
    var decision = first
    var searches: [Search] = []
    var periodIsOver = ContinuousClock.now + Self.period
    while awaits(bell, until: (searches.map(\.due) + (decision.awaitsExpected ? [periodIsOver] : [])).min()) {
      let (calls, hasHidden) = takeCalls()
      let now = ContinuousClock.now
      searches.removeAll { search in search.socket.map { calls.contains($0) } ?? hasHidden }
      searches += calls.map { Search(socket: $0, due: now) }
      if hasHidden { searches.append(Search(socket: nil, due: now)) }
      for socket in calls { decision.trap(socket) }
      guard searches.contains(where: { $0.due <= now }) || decision.awaitsExpected && periodIsOver <= now else {
        continue
      }
      // If this fails, the next look follows soon.
      if let listeners = try? TCPListener.all() { send(decision.found(listeners)) }
      searches = searches.compactMap { next($0, after: now, &decision) }
      periodIsOver = .now + Self.period
    }
  }

  /// What is left of a search, after a look at the table.
  private func next(
    _ search: Search, after now: ContinuousClock.Instant, _ decision: inout ListenDecision
  ) -> Search? {
    guard search.socket.map({ decision.awaits($0) }) ?? decision.awaitsExpected else { return nil }
    guard search.due <= now else { return search }
    guard search.looks < Self.pauses.count else {
      // The kernel has refused, or it is another kind of socket, or one of another network namespace.
      if let socket = search.socket { decision.giveUp(socket) }
      return nil
    }
    return Search(socket: search.socket, looks: search.looks + 1, due: now + Self.pauses[search.looks])
  }

  /// Waits until somebody rings or the time has come. Whether there is more to be done.
  private func awaits(_ bell: Descriptor, until time: ContinuousClock.Instant?) -> Bool {
    var source = pollfd(fd: bell.number, events: Int16(POLLIN), revents: 0)
    do throws(Errno) {
      try system { poll(&source, 1, time.map { Int32(clamping: $0.millisecondsFromNow) } ?? -1) }
      // Many rings may be one read; nothing is read at the end.
      if source.revents == 0 { return true }
      return try !bell.read(upTo: 4096).isEmpty
    } catch {
      return false
    }
  }

  private func takeCalls() -> (calls: Set<UInt64>, hasHidden: Bool) {
    state.withLock { state in
      defer {
        state.calls = []
        state.hasHidden = false
      }
      return (state.calls, state.hasHidden)
    }
  }
}
