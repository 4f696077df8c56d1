import CLinux
import DevrunPlan
import DevrunSystem
import Glibc

/// What the front tells the keeper.
enum FrontMessage: Equatable, Sendable {
  /// The front received a signal. What is to be done about it may be told later, by `signal`; or nothing is.
  case received(Int32)
  /// The child is to have a signal that the front received. `groupWide`: the others of its process group received it as
  /// well.
  case signal(Int32, groupWide: Bool)
  /// The front knows of the child. What it told before came before the child could take a signal.
  case heard
}

/// What the keeper tells the front.
enum KeeperMessage: Equatable, Sendable {
  /// The child runs.
  case started(pid_t)
  /// The child was stopped by the signal.
  case stopped(Int32)
  /// The child continues.
  case continued
  /// The child has ended; the session has not.
  case childEnded
  /// All is over: end as this says.
  case finished(WaitStatus)
}

/// The two ends of the connection between front and keeper: a Unix socket that keeps messages apart and tells when the
/// other end is gone, however it went.
struct Link: Sendable {
  /// The socket.
  let descriptor: Descriptor

  /// Sends a message. The other end being gone is no failure: it is told by `receive`.
  func send(_ message: FrontMessage) throws(Errno) {
    switch message {
    case .signal(let number, let groupWide): try send([0, number, groupWide ? 1 : 0])
    case .heard: try send([1, 0, 0])
    case .received(let number): try send([2, number, 0])
    }
  }

  /// Sends a message. The other end being gone is no failure: it is told by `receive`.
  func send(_ message: KeeperMessage) throws(Errno) {
    switch message {
    case .started(let child): try send([0, child, 0])
    case .stopped(let signal): try send([1, signal, 0])
    case .continued: try send([2, 0, 0])
    case .childEnded: try send([5, 0, 0])
    case .finished(.exited(let status)): try send([3, status, 0])
    case .finished(.killed(let signal, let dumped)): try send([4, signal, dumped ? 1 : 0])
    }
  }

  /// Waits for a message of the front. `nil`: it is gone.
  func receiveFromFront() throws(Errno) -> FrontMessage? {
    guard let words = try receive() else { return nil }
    switch words[0] {
    case 0: return .signal(words[1], groupWide: words[2] != 0)
    case 1: return .heard
    case 2: return .received(words[1])
    default: throw .invalidArgument
    }
  }

  /// Waits for a message of the keeper. `nil`: it is gone.
  func receiveFromKeeper() throws(Errno) -> KeeperMessage? {
    guard let words = try receive() else { return nil }
    switch words[0] {
    case 0: return .started(words[1])
    case 1: return .stopped(words[1])
    case 2: return .continued
    case 3: return .finished(.exited(words[1]))
    case 4: return .finished(.killed(words[1], coreDumped: words[2] != 0))
    case 5: return .childEnded
    default: throw .invalidArgument
    }
  }

  private func send(_ words: [Int32]) throws(Errno) {
    let size = words.count * MemoryLayout<Int32>.size
    do throws(Errno) {
      try system { Glibc.send(descriptor.number, words, size, Int32(MSG_NOSIGNAL)) }
    } catch .brokenPipe, .connectionReset {
      return
    }
  }

  private func receive() throws(Errno) -> [Int32]? {
    var words: [Int32] = [0, 0, 0]
    let size = words.count * MemoryLayout<Int32>.size
    while true {
      do throws(Errno) {
        let count = try system { recv(descriptor.number, &words, size, 0) }
        if count == 0 { return nil }
        guard count == size else { throw Errno.invalidArgument }
        return words
      } catch .connectionReset {
        // The other end is gone without having read all. The kernel says so once, before it hands out what the other end
        // had sent: that comes now, and then the end.
        continue
      }
    }
  }
}
