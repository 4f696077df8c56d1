internal import DevrunSystem
package import NIOCore

/// A pod's namespaces (network, mounts, host name), held by a process that does nothing else.
package final class Sandbox: Sendable {
  /// The process that holds the namespaces, as the machine outside of the cluster numbers it.
  package let process: Int32
  /// The pod's address.
  package let address: String

  /// Makes the namespaces and connects the network to the node's bridge.
  ///
  /// - Parameters:
  ///   - hostName: the pod's host name.
  ///   - network: where its address comes from.
  package init(hostName: String, network: PodNetwork) async throws {
    fatalError("unwritten")
  }

  /// What a container's process is started with.
  package struct Launch: Sendable {
    /// The program and its arguments.
    package var command: [String]
    package var environment: [String: String]
    /// `nil` is `/`.
    package var workingDirectory: String?
    /// What is shown where: `/etc/hosts`, `/etc/resolv.conf` and volumes. Places that the machine's files lack are made.
    package var mounts: [Mount]

    package struct Mount: Sendable {
      /// A file or folder of the node.
      package var source: String
      /// Its path in the container.
      package var target: String
      package var isReadOnly: Bool

      package init(source: String, target: String, isReadOnly: Bool = false) {
        self.source = source
        self.target = target
        self.isReadOnly = isReadOnly
      }
    }

    package init(
      command: [String], environment: [String: String], workingDirectory: String? = nil, mounts: [Mount] = []
    ) {
      self.command = command
      self.environment = environment
      self.workingDirectory = workingDirectory
      self.mounts = mounts
    }
  }

  /// Starts a container's process, in a session of its own and with the machine's files.
  ///
  /// - Parameter output: gets what it writes to its standard output and error, which are one pipe.
  /// - Throws: if the program cannot be executed, in the words of a container runtime.
  package func start(
    _ launch: Launch, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> ContainerProcess {
    fatalError("unwritten")
  }

  /// Connects a TCP socket in the pod's network namespace to its loopback address. Auto-read is off.
  package func connect(to port: Int, on loop: any EventLoop) async throws -> any Channel { fatalError("unwritten") }

  /// Ends all processes in the namespaces and gives the address back.
  package func remove() async { fatalError("unwritten") }
}

/// A container's process and what it has started.
package final class ContainerProcess: Sendable {
  /// The process, as the machine outside of the cluster numbers it.
  package let process: Int32 = 0

  /// How a process has ended.
  package enum End: Sendable, Hashable {
    case exited(Int32)
    case killed(signal: Int32)
  }

  /// Waits for its end, and for that of its output.
  package func end() async -> End { fatalError("unwritten") }

  /// Sends a signal: to the process alone, or (SIGKILL) to all that it has started as well.
  package func signal(_ signal: Int32) { fatalError("unwritten") }
}

/// The node's bridge and the addresses of pods.
package final class PodNetwork: Sendable {
  /// Makes the bridge in this process's network namespace.
  package init() async throws { fatalError("unwritten") }

  /// The node's own address, at which pods reach it.
  package var nodeAddress: String { fatalError("unwritten") }

  /// Gives this machine's loopback interface a service's address.
  package func add(serviceAddress: String) async throws { fatalError("unwritten") }
  /// Takes a service's address away again.
  package func remove(serviceAddress: String) async throws { fatalError("unwritten") }
}
