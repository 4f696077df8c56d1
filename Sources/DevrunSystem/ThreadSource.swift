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
      // The pipe ends, or fails, when nobody can ask any more.
      while let ring = try? listening.read(upTo: 1), !ring.isEmpty {
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
    do throws(Errno) {
      try bell.writeAll([1])
    } catch {
      failed(error)
    }
  }
}
