/// The time from the launch to the child's end.
extension Keeper {
  /// Waits until the child has ended, and ends it when the front is killed.
  ///
  /// Meanwhile signals go to the child, and the front stops and continues as it does.
  ///
  /// - Parameter grace: how long a child whose front was killed may take after SIGTERM, before SIGKILL.
  /// - Returns: how the child ended.
  public func accompany(_ child: LaunchedChild, grace: Duration) async -> WaitStatus {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for await interruption in self.interruptions() {
          switch interruption {
          // It came at the moment of the launch.
          case .signal(let number): child.send(number)
          case .frontGone: _ = await child.terminate(grace: grace)
          }
        }
      }
      let status = await child.endedForSure()
      group.cancelAll()
      return status
    }
  }
}
