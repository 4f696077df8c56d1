internal import CMinicluster
internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The namespaces in which the node runs: a small machine on this one.
///
/// The outer process stays where it is. The node sees this machine's files and processes, but has a network, mounts and a
/// process namespace of its own. When the outer process dies, however it dies, all in them is gone.
package enum Place {
  /// Where a process is after ``enter()``.
  package enum Side: Sendable {
    /// The process that has called it, with the first process of the namespaces, which is its child.
    case outer(Int32)
    /// The node.
    case node
  }

  /// Makes the namespaces and the node's process. Returns in both processes.
  ///
  /// To be called while there is only one thread.
  ///
  /// - Throws: ``PlaceError`` if this machine does not allow it, in the outer process.
  package static func enter() throws(PlaceError) -> Side {
    guard SandboxSpawn.defaultPath.split(separator: ":").contains(where: { access("\($0)/ip", X_OK) == 0 }) else {
      throw .noProgram
    }
    let isRoot = geteuid() == 0
    do throws(PlaceError) {
      return try enter(byUser: !isRoot)
    } catch .refused(let refusal) where isRoot && refusal.error == .notPermitted {
      // The root of a container has no right to make namespaces either, but may be allowed one of users.
      return try enter(byUser: true)
    }
  }

  private static func enter(byUser: Bool) throws(PlaceError) -> Side {
    var hidesProcesses = false
    do throws(Errno) {
      let (report, reporting) = try Descriptor.pipe()
      let result = minicluster_enter_place(byUser, reporting.number)
      if result == 0 { return .node }
      reporting.close()
      if result < 0 { throw Errno(rawValue: -result) }
      let bytes = try report.readToEnd()
      guard bytes.count >= MemoryLayout<minicluster_place_failure>.size else { return .outer(result) }
      SandboxSpawn.reap(result)
      let failure = bytes.withUnsafeBytes { $0.loadUnaligned(as: minicluster_place_failure.self) }
      hidesProcesses = failure.stage == MINICLUSTER_PLACE_PROCESSES
      throw Errno(rawValue: failure.error)
    } catch {
      var settings = NamespaceSettings.current
      settings.hidesProcesses = hidesProcesses
      throw .refused(PlaceError.Refusal(error: error, byUser: byUser, settings: settings))
    }
  }
}
