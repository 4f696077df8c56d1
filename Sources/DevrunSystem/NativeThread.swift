internal import CLinux
internal import Glibc

/// A thread of the kernel's, for work that waits in system calls and so must not be done by Swift's few cooperative
/// threads.
public enum NativeThread {
  /// Starts a thread that runs the body once, with all signals blocked. It belongs to nobody: it ends with the body.
  ///
  /// - Parameters:
  ///   - name: what the system's tools show, up to 15 bytes.
  ///   - body: what the thread does.
  public static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var attributes = pthread_attr_t()
    var code = pthread_attr_init(&attributes)
    guard code == 0 else {
      start.release()
      throw Errno(rawValue: code)
    }
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    code = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument {
          let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
          // Cannot fail: the set and the way to change it are valid (pthread_sigmask(3)).
          _ = try? SignalSet.all.block()
          _ = devrun_set_thread_name(start.name)
          start.body()
        }
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw Errno(rawValue: code)
    }
  }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
