import CLinux
import DevrunSystem
import Glibc

/// The two witnesses of the front's group: who else received a signal that the front received.
///
/// Who signals processes by their name or their command line (pkill) means devrun or the command. The witnesses' name is
/// therefore another one. Of devrun's command line one of them shows the command's words, and is found wherever the command
/// is found by those; the other one shows nothing of it, and is found by nobody who does not mean the whole group or the
/// whole tree of processes.
struct Witnesses: Sendable {
  /// Who received a signal that the front received.
  enum Reach: Int, Comparable {
    /// Neither of the witnesses.
    case alone
    /// The processes that a search for words of the command finds.
    case words
    /// All others of the process group, if not of the whole run.
    case all

    static func < (one: Reach, other: Reach) -> Bool { one.rawValue < other.rawValue }
  }

  private let bare: Witness
  private let named: Witness

  /// Starts them. Called in a process of one thread, with all signals blocked.
  static func start(keeper: pid_t) throws(Errno) -> Witnesses {
    // It is this process's child, which nobody has reaped. Where a filter refuses this, nothing guards.
    let descriptor = try? Descriptor(shim { devrun_pidfd_open(keeper, false) })
    return Witnesses(
      bare: try Witness.start(showsCommand: false, keeper: (keeper, descriptor)),
      named: try Witness.start(showsCommand: true, keeper: (keeper, descriptor)))
  }

  /// Who received the signal, which the front has just received. Each is asked once about a signal: it forgets it then.
  /// `nil` if that cannot be found out. Not to be asked for SIGCONT.
  func reach(of signal: Int32) -> Reach? {
    let named = named.received(signal) ?? false
    guard let bare = bare.received(signal) else { return nil }
    return bare ? .all : named ? .words : .alone
  }

  /// Continues them if they are stopped.
  func resume() {
    bare.resume()
    named.resume()
  }

  /// Has one of them end the child, if it outlives both the keeper and the front. `nil`: there is none, or none any more.
  func guards(_ child: pid_t?) { bare.guards(child) }
}
