import CLinux
public import DevrunCore
public import DevrunSystem
import Glibc

/// The two processes of a run.
///
/// The *front* is what the shell started. It stays in the job's process group, hands signals on, and stops and ends as
/// the child does. The *keeper* holds the session and is the child's parent. It has a process group of its own in the same
/// terminal session, so that neither Ctrl-C nor Ctrl-Z reaches it, and it outlives the front however that ends: the child
/// is ended and the cluster restored even after `kill -9`.
public enum SessionProcess {
  /// Splits the keeper off. It returns in the keeper only; the calling process becomes the front, and ends as the keeper
  /// tells it.
  ///
  /// To be called first thing in `main`, while the process has one thread and has opened nothing.
  ///
  /// - Parameter remedy: what puts back what the keeper leaves changed if it is killed, for the message about that.
  /// - Throws: `SplitError`, in the calling process.
  public static func split(remedy: String = "devrun restore") throws(SplitError) -> Keeper {
    do throws(Errno) {
      let inherited = try InheritedState.capture()
      let (keeperEnd, frontEnd) = try Descriptor.socketPair(type: SOCK_SEQPACKET)
      // Before the fork: no signal may be lost between it and the reading of signals in either process.
      try SignalSet.all.block()
      let front = getpid()
      let keeper = try system { fork() }
      if keeper == 0 {
        frontEnd.close()
        return try Keeper(link: Link(descriptor: keeperEnd), inherited: inherited, front: front)
      }
      // Both processes do this, so that it is done whichever runs first.
      _ = setpgid(keeper, keeper)
      keeperEnd.close()
      var mirror = try Front(link: Link(descriptor: frontEnd), keeper: keeper, remedy: remedy)
      mirror.run()
    } catch {
      throw SplitError(cause: error)
    }
  }
}

/// The session's process could not be made.
public struct SplitError: UserFacingError {
  /// The kernel's answer.
  public var cause: Errno

  /// The message for the user.
  public var message: ErrorMessage {
    ErrorMessage(
      "devrun cannot start the process that holds its session", why: cause.description,
      remedy: "Are the limits of processes or open files (`ulimit -u`, `ulimit -n`) reached?")
  }
}
