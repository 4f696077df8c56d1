internal import Glibc
internal import Synchronization

/// Starts threads that have what the process was started with: niceness, scheduling policy, CPU affinity.
///
/// On Linux these are each thread's own, and a thread inherits them of the one that starts it. Swift's runtime gives its
/// own threads other ones, so a program forked by a thread that such a thread had started would get those.
public final class ThreadSource: Sendable {
  private struct Request {
    var name: String
    var body: @Sendable () -> Void
    var failed: @Sendable (Errno) -> Void
  }

  private let requests = Mutex<[Request]>([])
  private let bell: Descriptor

  /// A source of threads like the calling one.
  public init() throws(Errno) {
    let (listening, bell) = try Descriptor.pipe()
    self.bell = bell
    try NativeThread.start(name: "devrun-threads") { [self] in
      var ring: UInt8 = 0
      while true {
        let count = read(listening.number, &ring, 1)
        if count < 0, errno == EINTR { continue }
        if count <= 0 { return }
        guard let request = requests.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { continue }
        do throws(Errno) {
          try NativeThread.start(name: request.name, request.body)
        } catch {
          request.failed(error)
        }
      }
    }
  }

  /// Starts a thread that runs the body, or tells why it cannot be started.
  public func start(
    name: String, failed: @escaping @Sendable (Errno) -> Void, _ body: @escaping @Sendable () -> Void
  ) {
    requests.withLock { $0.append(Request(name: name, body: body, failed: failed)) }
    var ring: UInt8 = 1
    do throws(Errno) {
      try system { write(bell.number, &ring, 1) }
    } catch {
      failed(error)
    }
  }
}
