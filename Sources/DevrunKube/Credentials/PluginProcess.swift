// A child process whose output is caught, and whose standard error is this process's own.
//
// It is started by posix_spawn: signal mask and dispositions are reset (a thread of the Swift runtime has nearly all
// signals blocked) and no descriptor but the first three goes along. Its end is awaited on a thread, by `waitid` that
// leaves the child to be reaped under the lock: so a signal is never sent to a process id that is someone else's by then.

import DevrunCore
internal import DevrunSystem
import Foundation
import Glibc
import NIOConcurrencyHelpers

/// A running credential plugin.
final class PluginProcess: Sendable {
  /// How a process ended.
  enum Ending: Sendable, Hashable {
    case exited(CInt)
    case killed(signal: CInt)
    /// Someone else in this process has reaped it.
    case unknown
  }

  /// A system call that failed.
  struct SystemError: Error {
    var call: String
    var code: CInt

    /// The failure in words.
    var words: String { "\(call): \(Errno(rawValue: code).description)" }
  }

  /// Held from the making of a pipe until its process runs, lest another plugin's process inherits the pipe: the end of
  /// the output would not be seen before that one ends.
  private static let spawning = NIOLock()

  private let pid: pid_t
  private let output: CInt
  private let isRunning: NIOLockedValueBox<Bool>

  /// Starts a process.
  ///
  /// - Parameter group: the process group that it joins, so that it can ask on the terminal, with this process's
  ///   standard input. `nil`: it has none, and stays in this process's group.
  init(
    path: String, arguments: [String], environment: EnvironmentVariables, askingIn group: pid_t?
  ) throws(SystemError) {
    Self.spawning.lock()
    defer { Self.spawning.unlock() }
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError(call: "pipe", code: errno) }
    defer { close(ends[1]) }
    var failure = SystemError(call: "posix_spawn", code: 0)
    var pid: pid_t = 0
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if group == nil { posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    for descriptor in Self.openDescriptors() where descriptor > STDERR_FILENO {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    if let group {
      flags |= POSIX_SPAWN_SETPGROUP
      posix_spawnattr_setpgroup(&attributes, group)
    }
    posix_spawnattr_setflags(&attributes, Int16(flags))

    failure.code = withCStrings(arguments.map { RawString($0) }) { arguments in
      withCStrings(environment.entries) { variables in
        posix_spawn(&pid, path, &actions, &attributes, arguments, variables)
      }
    }
    guard failure.code == 0 else {
      close(ends[0])
      throw failure
    }
    self.pid = pid
    output = ends[0]
    isRunning = NIOLockedValueBox(true)
  }

  /// All of the output, and how the process ended. To be called once. Cancelling ends the process by SIGTERM.
  func result() async -> ([UInt8], Ending) {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        // A thread of its own: a login may take minutes, and a shared pool's threads are few.
        Thread.detachNewThread { [self] in
          let bytes = readToEnd()
          continuation.resume(returning: (bytes, reap()))
        }
      }
    } onCancel: {
      isRunning.withLockedValue { isRunning in
        if isRunning { kill(pid, SIGTERM) }
      }
    }
  }

  /// The descriptors that are open now. (glibc's way to close them all in the child is not visible to Swift.)
  private static func openDescriptors() -> [CInt] {
    guard let folder = opendir("/proc/self/fd") else { return [] }
    defer { closedir(folder) }
    var descriptors: [CInt] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if let descriptor = CInt(name), descriptor != dirfd(folder) { descriptors.append(descriptor) }
    }
    return descriptors
  }

  private func readToEnd() -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(output, &buffer, buffer.count)
      if count > 0 {
        bytes += buffer[..<count]
      } else if count == 0 || errno != EINTR {
        close(output)
        return bytes
      }
    }
  }

  private func reap() -> Ending {
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    return isRunning.withLockedValue { isRunning in
      isRunning = false
      var status: CInt = 0
      var reaped = waitpid(pid, &status, 0)
      while reaped < 0, errno == EINTR { reaped = waitpid(pid, &status, 0) }
      if reaped != pid { return .unknown }
      let signal = status & 0x7f
      return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
    }
  }
}

/// Gives a body the strings as a null-terminated array of C strings.
private func withCStrings<Result>(
  _ strings: [RawString], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  let copies = strings.map { string in
    string.bytes.withUnsafeBytes { bytes in
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
      UnsafeMutableRawPointer(copy).copyMemory(
        from: bytes.baseAddress ?? UnsafeRawPointer(copy), byteCount: bytes.count)
      copy[bytes.count] = 0
      return copy
    }
  }
  defer { copies.forEach { $0.deallocate() } }
  return body(copies + [nil])
}
