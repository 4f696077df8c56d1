public import DevrunCore
public import DevrunPlan
public import DevrunSystem
import Glibc

/// Why the command could not be launched.
public enum LaunchError: UserFacingError {
  /// No process, pipe or thread could be made here.
  case resources(Errno)
  /// The view of files that was asked for is not possible.
  case mounts(MountError)
  /// A volume is to appear at a path of its own, which takes a mount namespace.
  case mountsNeedNamespace
  /// The isolation is not to be had on this machine.
  case isolation(Isolation, LaunchStage, Errno)
  /// None of the ways to isolate is to be had: each with where it ended.
  case noIsolation([Attempt])
  /// The program did not start.
  case execution(RawString, Errno, ArgumentBlock)
  /// The child failed on its way to the program.
  case stage(LaunchStage, Errno)

  /// A way to isolate that was tried.
  public struct Attempt: Sendable, Hashable {
    /// What was tried.
    public var isolation: Isolation
    /// Where it ended.
    public var stage: LaunchStage
    /// The kernel's answer.
    public var error: Errno
  }

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .resources(let error):
      return ErrorMessage(
        "the command cannot be started", why: error.description,
        remedy: "Are the limits of processes or open files (`ulimit -u`, `ulimit -n`) reached?")
    case .mounts(let error):
      return error.message
    case .mountsNeedNamespace:
      return ErrorMessage(
        "a volume cannot be shown at a path of its own",
        why: "no mount namespace is to be had here, and `--isolation trap` only covers single files",
        remedy: "Use `${volumes.NAME}` without a path, and hand the path that it stands for to the program.")
    case .isolation(let isolation, let stage, let error):
      return ErrorMessage(
        "the command cannot be given files of its own by '\(isolation.rawValue)'",
        why: "\(stage.description): \(error)", remedy: stage.remedy(for: error, isolation))
    case .noIsolation(let attempts):
      return ErrorMessage(
        "the command cannot be given files of its own",
        why: attempts.map { "\($0.isolation.rawValue): \($0.stage.description): \($0.error)" }.joined(separator: "\n"),
        remedy: attempts.compactMap { $0.stage.remedy(for: $0.error, $0.isolation) }.first)
    case .execution(let path, let error, let arguments):
      return Self.executionMessage(path, error, arguments)
    case .stage(let stage, let error):
      return ErrorMessage(
        "the command cannot be started", why: "\(stage.description): \(error)", remedy: stage.remedy(for: error))
    }
  }

  /// 126 or 127 where the program is the cause, 125 otherwise.
  public var exitStatus: ExitStatus {
    switch self {
    case .execution(_, .noEntry, _): .notFound
    case .execution: .cannotExecute
    default: .devrunFailed
    }
  }

  private static func executionMessage(_ path: RawString, _ error: Errno, _ arguments: ArgumentBlock) -> ErrorMessage {
    switch error {
    case .argumentListTooLong:
      ErrorMessage(
        "'\(path)' cannot be executed: arguments and environment are too long together",
        why:
          "they take \(arguments.bytes) bytes; a single one may have 131071, and all of them a quarter of the stack's "
          + "limit\nthe largest: \(arguments.largest.map(\.description).joined(separator: ", "))",
        remedy: "Leave some out (`--env-exclude NAME`), or raise the limit with `ulimit -s`.")
    case .noEntry:
      ErrorMessage(
        "'\(path)' cannot be executed", why: "its interpreter or dynamic loader does not exist on this machine",
        remedy: "Look at its first line, or at what `file` says of it.")
    default:
      ErrorMessage("'\(path)' cannot be executed", why: error.description)
    }
  }
}
