internal import DevrunCore
internal import DevrunSystem
internal import DevrunTunnel
internal import Glibc

/// A file that exists while a tunnel is attached: the loader's readiness probe looks for it.
struct ReadyFile: Sendable {
  let path: String?
  let log: AgentLog

  /// Makes the file or removes it.
  func set(_ isReady: Bool) {
    guard let path else { return }
    if isReady {
      let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { return log("cannot make \(path): \(Errno(rawValue: errno).description)") }
      close(descriptor)
    } else if unlink(path) != 0, errno != ENOENT {
      log("cannot remove \(path): \(Errno(rawValue: errno).description)")
    }
  }
}
