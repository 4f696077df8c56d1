// The process of a credential plugin, which swift-subprocess starts, awaits and ends.
//
// The output comes through a pipe of this file. swift-subprocess stops reading a pipe of its own when the plugin ends.
// But kubectl reads up to the pipe's end, and a child of the plugin may write to it later.

import DevrunCore
internal import DevrunSystem
import Glibc
import Subprocess
import struct SystemPackage.FileDescriptor
import struct SystemPackage.FilePath

/// The process of a credential plugin. Its standard error is this process's own.
struct PluginProcess: Sendable {
  /// The size of the largest output that is accepted. Credentials are some kilobytes.
  static let maximumOutputSize = 1 << 20

  /// The name that the plugin is called by.
  let command: String
  /// The file to execute.
  let path: RawString
  /// The arguments.
  let arguments: [String]
  /// The environment variables.
  let environment: EnvironmentVariables
  /// The process group that the plugin joins, so that it can ask on the terminal, with this process's standard input.
  /// `nil`: it cannot ask, and stays in this process's group.
  let group: pid_t?
  /// How long a cancelled plugin may take to end after SIGTERM. Then it is killed.
  var gracePeriod: Duration = .seconds(5)

  /// Runs the plugin until it has ended and its output is closed. If the task is cancelled, the plugin is ended, and
  /// the end of the output is not awaited.
  ///
  /// - Returns: the output of a plugin that succeeded.
  /// - Throws: `CredentialError`, or `CancellationError`.
  func run() async throws -> [UInt8] {
    do {
      let (output, ending) = try await execute()
      try Task.checkCancellation()
      switch ending {
      case .exited(0), nil: return output
      case .exited(let status): throw failure("it ended with status \(status)")
      case .signaled(let signal): throw failure("it was ended by signal \(signal)")
      }
    } catch let error as SubprocessError {
      throw CredentialError.pluginNotStarted(
        command: command, problem: error.underlyingError?.description ?? error.description)
    } catch let error as Errno {
      throw error == .fileTooLarge
        ? CredentialError.pluginOutput(command: command, problem: "it printed more than 1 MiB")
        : CredentialError.pluginNotStarted(command: command, problem: error.description)
    }
  }

  private func failure(_ ending: String) -> CredentialError { .pluginFailed(command: command, ending: ending) }

  /// The output, and how the process ended; `nil` if the kernel does not report that.
  private func execute() async throws -> ([UInt8], TerminationStatus?) {
    let (reading, writing) = try Descriptor.pipe()
    let nothing = group == nil ? try Descriptor.open("/dev/null", O_RDONLY) : nil
    let output = Latch<Result<[UInt8], Errno>>()
    var options = PlatformOptions()
    options.processGroupID = group
    options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: gracePeriod)]
    do {
      let result = try await Subprocess.run(
        .path(FilePath(path.description)),
        arguments: Arguments(executablePathOverride: command, remainingValues: arguments),
        environment: .custom(Self.entries(of: environment)), platformOptions: options,
        input: .fileDescriptor(
          FileDescriptor(rawValue: nothing?.number ?? STDIN_FILENO), closeAfterSpawningProcess: false),
        output: .fileDescriptor(FileDescriptor(rawValue: writing.number), closeAfterSpawningProcess: false),
        error: .currentStandardError
      ) { _ in
        nothing?.close()
        writing.close()
        // A thread of its own: a login may take minutes, and a shared pool's threads are few.
        try NativeThread.start(name: "devrun-plugin") {
          output.set(Result { () throws(Errno) in try reading.readToEnd(limit: Self.maximumOutputSize) })
        }
        return try await output.wait()?.get() ?? []
      }
      return (result.closureResult, result.terminationStatus)
    } catch let error as SubprocessError
      where error.code == .failedToMonitorProcess && error.underlyingError == .noChildProcess
    {
      // This process was started with SIGCHLD ignored: the kernel keeps no exit status then.
      guard let output = output.value else { throw error }
      return (try output.get(), nil)
    }
  }

  /// The variables as C strings. Those whose names begin with a digit are left out: swift-subprocess refuses to start a
  /// process with one.
  private static func entries(of environment: EnvironmentVariables) -> [[UInt8]] {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    return environment.filter { !digits.contains($0.name.bytes.first ?? 0) }
      .map { $0.entry.bytes.prefix { $0 != 0 } + [0] }
  }
}
