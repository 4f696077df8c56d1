import CLinux
import DevrunCore
public import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization

/// Answers the connects of the child and of all its descendants, by seccomp's user notification.
///
/// A filter in the child traps `connect`. For an address that is none of the session's the kernel is told to continue: the
/// call is then what it always was. For one of the session's the caller's socket is duplicated into this process and
/// connected to a listener of the session instead; the duplicate is the same socket, so the caller's is connected when
/// its call returns. No port of this machine is taken, no name or address is changed, and it makes no difference how the
/// program came to call `connect`: by C's library, statically, or by Go's own means.
///
/// The far end is dialled before the call is answered, so that a refused destination looks refused. A caller that
/// does not wait (a non-blocking socket) is kept for a short time only (`WaitBudget`); if the dial fails later, the session
/// resets the connection.
///
/// A caller that waits can be interrupted by a signal, stopped, traced and frozen, as one that waits in the kernel. The
/// kernel ends its call then, or makes it again. The socket is connected to the session's listener before the far end has
/// answered; so a program that is interrupted and goes on as connect(2) has it (it waits until the socket is writable) finds
/// what it expects. The receiving thread does that at once, where an earlier connect has shown the listener
/// (`KnownAcceptors`). If the far end refuses, the socket is disconnected before the call is answered.
///
/// A thread of its own receives the calls and deals with the foreign ones at once. Those of the session are handed to
/// the tasks of `serve`. When the process that holds the listener ends, each later `connect` of each descendant fails
/// with ENOSYS for good. So this process must stay, after `release`, until nobody is left (`unused`).
///
/// A filter may trap `listen` as well. Such a call is always continued at once, and then reported to a `ListenWatch`.
/// If `bind` is trapped, a socket that the child binds to its pod's own address is bound to the loopback interface here, by
/// a duplicate of it as well (`PodPlaces`). Before it is connected to another machine, it is freed of that.
public final class ConnectRedirect: Sendable {
  /// The addresses that are the session's.
  public let table: RedirectTable

  let features: KernelFeatures
  let listener: Descriptor
  let files: PrivateFiles
  /// The addresses of the pod in whose place the child runs.
  let places: PodPlaces
  private let hungUp = Latch<Void>()
  let state = Mutex(State())
  /// Whether it was said that a process cannot be helped.
  let hasReported = Atomic(false)
  /// Whether it was reported that a connect failed for want of something here.
  let hasReportedFailure = Atomic(false)
  /// Whether it was reported that a socket which was put in place may get no events.
  let hasReportedEvents = Atomic(false)
  /// The cookie of this process's network namespace, where the kernel tells it.
  let networkNamespace: UInt64?
  /// What is handed each `listen` of the child and its descendants, once that is continued; `nil`: they are not trapped.
  let listens: ListenWatch?

  /// What is shared between the receiving thread and the tasks.
  struct State {
    /// The calls that are not answered yet.
    var pending: [TrappedConnect.Key: TrappedConnect] = [:]
    var answered = AnswerMemory()
    var budget = WaitBudget()
    var placed = PlacedSockets()
    var acceptors = KnownAcceptors()
    /// Who takes new calls.
    var consumer: AsyncStream<TrappedConnect>.Continuation?
    /// The calls that came before there was one.
    var early: [TrappedConnect] = []
    var isReleased = false
    /// How many pending calls make it worth looking for those that nobody waits for.
    var manyPending = 64

    /// Ends the waiting for callers that were killed or interrupted while they waited. Their dials then end when their
    /// sockets do. Nothing tells of such callers; so they are looked for whenever the pending calls have doubled.
    mutating func dropAbandoned() {
      guard pending.count >= manyPending else { return }
      for (key, call) in pending where !call.isAwaited {
        pending[key] = nil
        // If it comes again, its socket is connected.
        answered.remember(key, of: call.thread, at: .now)
        call.outcome.set(.undecided)
      }
      manyPending = max(64, pending.count * 2)
    }
  }

  /// Starts to answer.
  init(
    listener: Descriptor, table: RedirectTable, files: PrivateFiles, podAddresses: [IPAddress], listens: ListenWatch?,
    features: KernelFeatures
  ) throws(Errno) {
    self.listener = listener
    self.table = table
    self.files = files
    places = PodPlaces(podAddresses)
    self.listens = listens
    self.features = features
    networkNamespace = features.contains(.namespaceCookies) ? Self.ownNetworkNamespace() : nil
    try NativeThread.start(name: "devrun-connect") { [self] in receive() }
  }

  /// Serves the connects to the session's addresses until the task is cancelled or nobody is left who could connect.
  /// May be called once; calls that came before are served as well. Ends with `release`.
  public func serve(by connector: any OutboundConnector) async {
    let (calls, consumer) = AsyncStream.makeStream(of: TrappedConnect.self)
    state.withLock { state in
      for call in state.early { consumer.yield(call) }
      state.early = []
      if state.isReleased { consumer.finish() } else { state.consumer = consumer }
    }
    await withDiscardingTaskGroup { group in
      for await call in calls {
        group.addTask { await self.redirect(call, by: connector) }
      }
      release()
      group.cancelAll()
    }
  }

  /// Ends the redirection: what is pending fails with ENETUNREACH, and from now on all connects are what they would be
  /// without devrun; nor are listeners reported any more. Answers go on being given: this process must not end before
  /// `unused` returns.
  public func release() {
    let (pending, consumer) = state.withLock { state in
      defer {
        state.isReleased = true
        state.pending = [:]
        state.early = []
        state.consumer = nil
      }
      return (state.pending.values, state.consumer)
    }
    for call in pending { call.answer(.networkUnreachable) }
    consumer?.finish()
    listens?.end()
  }

  /// Waits until no process is left that depends on the answers, or this task is cancelled.
  public func unused() async { _ = await hungUp.wait() }

  /// The receiving thread: deals with each call, until nobody is left who could call.
  private func receive() {
    // Where the kernel cannot do this, it does not report the last caller's end to who waits for a call, either.
    let isSynchronous = features.contains(.synchronousWakeUp) && devrun_take_turns(listener.number) == 0
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 128, alignment: 16)
    defer { memory.deallocate() }
    var call = devrun_notification()
    while true {
      if !isSynchronous, hasHungUp(waiting: true) { break }
      let result = devrun_receive_notification(listener.number, &call)
      if result == 0 {
        deal(with: call, memory: memory)
      } else if hasHungUp(waiting: false) {
        break
      }
    }
    release()
    hungUp.set(())
  }

  /// Whether the last process with the filter is gone. With `waiting`: after the next call has come, or that.
  private func hasHungUp(waiting: Bool) -> Bool {
    var source = pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)
    do throws(Errno) {
      try system { poll(&source, 1, waiting ? -1 : 0) }
      return source.revents & Int16(POLLHUP) != 0
    } catch {
      return true
    }
  }

  private static func ownNetworkNamespace() -> UInt64? {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return nil }
    return try? Descriptor(socket).networkNamespace
  }
}
