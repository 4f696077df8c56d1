public import DevrunPlan
internal import DevrunSystem
internal import Glibc

/// The time from the launch to the end of what was launched.
extension Keeper {
  /// Has `accompany` return at the child's end, whatever it has left running.
  public func stopAwaitingDescendants() { descendantsAwaited.set(()) }

  /// What the child has left running, after `accompany`: each process as in `java (pid 4711)`.
  public var leftRunning: [String] { OrphanReaper.leftRunning }

  /// Ends the front with the status, and then this process, as soon as nothing that the child has left running depends on
  /// it: each of their connects still asks this process.
  ///
  /// What else this process does goes on meanwhile. It writes nothing more.
  ///
  /// - Parameter child: the command; `nil` if none was launched.
  public func end(_ status: WaitStatus, leaving child: LaunchedChild?) async -> Never {
    finish(status)
    if let redirect = child?.redirect {
      redirect.release()
      do throws(Errno) {
        try StandardStreams.disconnect([2])
      } catch {
        StandardStreams.printError("devrun: standard error stays open: \(error)")
      }
      await redirect.unused()
    }
    exit(0)
  }

  /// Waits until the child has ended, and ends it when the front is killed.
  ///
  /// Meanwhile signals go to the child, and the front stops and continues as it does.
  ///
  /// With `waitsForDescendants` the child's end is not the end: whatever it has left running, in whichever session or
  /// process group, is waited for as well. A signal that would end devrun (SIGINT, SIGTERM, SIGHUP, SIGQUIT) then ends the
  /// waiting, and nothing else: what runs on is told by whoever sent the signal to it, as the terminal does with the whole
  /// job, and devrun's status stays the child's. Ctrl-Z stops devrun alone, besides what is left in its process group.
  ///
  /// - Parameters:
  ///   - grace: how long a child whose front was killed may take after SIGTERM, before SIGKILL.
  ///   - waitsForDescendants: whether to return only after the last descendant's end.
  /// - Returns: how the child ended.
  public func accompany(
    _ child: LaunchedChild, grace: Duration, waitsForDescendants: Bool = false
  ) async -> WaitStatus {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for await interruption in self.interruptions() {
          switch interruption {
          // It came at the moment of the launch; one that comes later finds no child.
          case .signal(let number): child.send(number)
          case .frontGone: _ = await child.terminate(grace: grace)
          }
        }
      }
      let status = await child.endedForSure()
      if waitsForDescendants { await descendantsAwaited.uncancelledValue() }
      child.endListening()
      group.cancelAll()
      return status
    }
  }
}
