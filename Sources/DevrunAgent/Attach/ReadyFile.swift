internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// A file that exists while a tunnel is attached: the loader's readiness probe looks for it.
struct ReadyFile: Sendable {
  let path: String?
  let log: AgentLog

  /// Makes the file or removes it.
  func set(_ isReady: Bool) {
    guard let path else { return }
    do throws(Errno) {
      if isReady {
        _ = try Descriptor.open(RawString(path), O_WRONLY | O_CREAT, mode: 0o644)
      } else {
        try system { unlink(path) }
      }
    } catch .noEntry where !isReady {
      // It was removed already, or never made.
    } catch {
      log("cannot \(isReady ? "make" : "remove") \(path): \(error)")
    }
  }
}
