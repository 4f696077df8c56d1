internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// A container that runs in a cluster on this machine, seen from outside of the cluster.
package struct RunningContainer: Sendable {
  /// The container's first process, as this machine numbers it.
  private let process: Int32

  /// The container of a status.
  ///
  /// - Parameter containerID: the status's `containerID`: `minicluster://` and the number of the process.
  package init?(containerID: String) {
    let scheme = "minicluster://"
    guard containerID.hasPrefix(scheme), let process = Int32(containerID.dropFirst(scheme.count)), process > 1 else {
      return nil
    }
    self.process = process
  }

  /// Runs a command in the container, on this process's standard input, output and error, with the container's variables
  /// and working directory.
  ///
  /// - Returns: how the command ended.
  /// - Throws: ``SandboxError``
  package func execute(_ command: [String]) async throws -> ContainerProcess.End {
    try await ContainerProcess.run(try entry(command))
  }

  private func entry(_ command: [String]) throws(SandboxError) -> SandboxSpawn {
    do throws(Errno) {
      var spawn = SandboxSpawn(command: command, environment: try variables())
      // The namespace of users first: it gives the right to join the others.
      for name in ["user", "mnt", "net", "uts", "ipc", "pid"] {
        if let namespace = try namespace(name) { spawn.joined.append(namespace) }
      }
      spawn.input = Descriptor(try system { fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) })
      spawn.workingDirectory = try SymbolicLink.target(of: RawString("/proc/\(process)/cwd")).description
      spawn.hasFewerCapabilities = true
      spawn.leadsSession = false
      spawn.isAddition = true
      return spawn
    } catch .noEntry {
      throw .ended
    } catch {
      throw .system("cannot enter the container of process \(process)", error)
    }
  }

  /// The variables that the container's first process was started with.
  private func variables() throws(Errno) -> [String: String] {
    let bytes = try Descriptor.open(RawString("/proc/\(process)/environ"), O_RDONLY).readToEnd()
    let entries = bytes.split(separator: 0).map { RawString($0) }
    return EnvironmentVariables(entries: entries).reduce(into: [:]) { $0[$1.name.description] = $1.value.description }
  }

  /// One of the process's namespaces; `nil` if this process is in the same one, which it cannot join again.
  private func namespace(_ name: String) throws(Errno) -> Descriptor? {
    let (path, own) = (RawString("/proc/\(process)/ns/\(name)"), RawString("/proc/self/ns/\(name)"))
    // The links say which namespaces they stand for: `net:[4026531840]` (namespaces(7)).
    if try SymbolicLink.target(of: path) == SymbolicLink.target(of: own) { return nil }
    return try Descriptor.open(path, O_RDONLY)
  }
}
