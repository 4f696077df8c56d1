internal import DevrunCore
internal import DevrunSystem
internal import Glibc
internal import NIOCore
internal import Synchronization

/// A container's process and what it has started.
package final class ContainerProcess: Sendable {
  /// The process, as the machine outside of the cluster numbers it.
  package let process: Int32
  /// The process, as the node numbers it.
  let ownNumber: Int32
  private let isFirst: Bool
  private let latch = Latch<End>()
  /// The number of a process may be another's once it is reaped.
  private let isReaped = Mutex(false)

  private init(_ started: SandboxSpawn.Started, isFirst: Bool) {
    process = started.outside
    ownNumber = started.process
    self.isFirst = isFirst
  }

  /// How a process has ended.
  package enum End: Sendable, Hashable {
    case exited(Int32)
    case killed(signal: Int32)
  }

  /// Starts a program.
  ///
  /// - Parameter output: gets what it writes to its standard output and error, on a thread of the process's own.
  static func start(
    _ spawn: SandboxSpawn, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> ContainerProcess {
    try await withCheckedThrowingContinuation { continuation in
      do throws(Errno) {
        try NativeThread.start(name: "container") {
          let pipe: Descriptor
          let process: ContainerProcess
          do {
            let (reading, writing) = try Descriptor.pipe()
            let started = try spawn.start(output: writing.number, error: writing.number)
            pipe = reading
            process = ContainerProcess(started, isFirst: !spawn.isAddition)
          } catch {
            continuation.resume(throwing: error)
            return
          }
          continuation.resume(returning: process)
          process.collect(pipe, output)
          process.awaitEnd()
        }
      } catch {
        continuation.resume(throwing: SandboxError.system("cannot start a thread", error))
      }
    }
  }

  /// Runs a program on this process's standard output and error, and waits for its end.
  static func run(_ spawn: SandboxSpawn) async throws -> End {
    let process: ContainerProcess = try await withCheckedThrowingContinuation { continuation in
      do throws(Errno) {
        try NativeThread.start(name: "container") {
          let result = Result { () throws(SandboxError) in
            try spawn.start(output: STDOUT_FILENO, error: STDERR_FILENO)
          }
          let process = result.map { ContainerProcess($0, isFirst: !spawn.isAddition) }
          continuation.resume(with: process)
          if case .success(let process) = process { process.awaitEnd() }
        }
      } catch {
        continuation.resume(throwing: SandboxError.system("cannot start a thread", error))
      }
    }
    return await process.end()
  }

  /// Waits for its end, and for that of its output.
  package func end() async -> End { await latch.uncancelledValue() }

  /// Whether it has ended.
  var hasEnded: Bool { latch.value != nil }

  /// Sends a signal: to the process alone, or (SIGKILL) to all that it has started as well.
  package func signal(_ signal: Int32) {
    isReaped.withLock { isReaped in
      guard !isReaped else { return }
      // The kernel kills all in a process namespace with the first process of it. A program that was added to a container
      // leads a group. A process that has just ended takes no signal.
      kill(signal == SIGKILL && !isFirst ? -ownNumber : ownNumber, signal)
    }
  }

  /// Opens one of the process's namespaces.
  func openNamespace(_ name: String) throws(SandboxError) -> Descriptor {
    let descriptor: Result<Descriptor, SandboxError> = isReaped.withLock { isReaped in
      if isReaped { return .failure(.ended) }
      do throws(Errno) {
        return .success(try Descriptor.open(RawString("/proc/\(ownNumber)/ns/\(name)"), O_RDONLY))
      } catch .noEntry {
        return .failure(.ended)
      } catch {
        return .failure(.system("cannot open the \(name) namespace of process \(process)", error))
      }
    }
    return try descriptor.get()
  }

  private func collect(_ pipe: Descriptor, _ output: @Sendable (ByteBuffer) -> Void) {
    // A pipe that cannot be read has no reader any more, and its writer gets to know.
    while let bytes = try? pipe.read(upTo: 1 << 16), !bytes.isEmpty { output(ByteBuffer(bytes: bytes)) }
  }

  private func awaitEnd() {
    var information = siginfo_t()
    var status: Int32 = 0
    // Neither fails for a child of one's own.
    _ = try? system { waitid(P_PID, id_t(ownNumber), &information, WEXITED | WNOWAIT) }
    isReaped.withLock { isReaped in
      _ = try? system { waitpid(ownNumber, &status, 0) }
      isReaped = true
    }
    let signal = status & 0x7f
    latch.set(signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal))
  }
}
