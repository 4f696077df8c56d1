internal import CMinicluster
internal import DevrunSystem
internal import Glibc
package import NIOCore
internal import NIOPosix
internal import Synchronization

// A pod's namespaces are held by a process that does nothing else: network, host name and IPC. Each container has mount
// and process namespaces of its own beside them, as container runtimes make them: its program is process 1 there, and all
// that the program has started ends with it.

/// A pod's namespaces (network, host name, IPC), held by a process that does nothing else.
package final class Sandbox: Sendable {
  /// The process that holds the namespaces, as the machine outside of the cluster numbers it.
  package let process: Int32
  /// The pod's address.
  package let address: String
  private let hostName: String
  private let network: PodNetwork
  private let link: PodNetwork.Link
  private let holder: ContainerProcess
  /// The namespaces, open: they stay what they are whatever becomes of the process's number.
  private let namespaces: [Descriptor]
  private let containers = Mutex<[ContainerProcess]>([])

  /// Makes the namespaces and connects the network to the node's bridge.
  ///
  /// - Parameters:
  ///   - hostName: the pod's host name.
  ///   - network: where its address comes from.
  /// - Throws: ``SandboxError``.
  package init(hostName: String, network: PodNetwork) async throws {
    var holder = SandboxSpawn(command: ["sleep", "infinity"], environment: [:])
    holder.made = MINICLUSTER_NAMESPACES_OF_POD
    holder.hostName = hostName
    let process = try await ContainerProcess.start(holder) { _ in }
    do {
      let namespaces = try ["net", "uts", "ipc"].map { name throws(SandboxError) in
        try process.openNamespace(name)
      }
      link = try await network.connect(namespaces[0], heldBy: process.ownNumber)
      self.namespaces = namespaces
    } catch {
      process.signal(SIGKILL)
      _ = await process.end()
      throw error
    }
    self.process = process.process
    self.holder = process
    self.hostName = hostName
    self.network = network
    address = link.address
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

  /// Starts a container's process, in a session of its own and with the machine's files, which it cannot change.
  ///
  /// - Parameter output: gets what it writes to its standard output and error, which are one pipe.
  /// - Throws: ``SandboxError``, in the words of a container runtime, if the program cannot be executed.
  package func start(
    _ launch: Launch, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> ContainerProcess {
    var spawn = SandboxSpawn(command: launch.command, environment: launch.environment)
    // What a runtime adds to the variables of an image and a container.
    spawn.environment.merge(
      ["PATH": SandboxSpawn.defaultPath, "HOME": "/root", "HOSTNAME": hostName], uniquingKeysWith: { own, _ in own })
    spawn.joined = namespaces
    spawn.made = MINICLUSTER_NAMESPACES_OF_CONTAINER
    spawn.mounts = launch.mounts
    spawn.workingDirectory = launch.workingDirectory ?? "/"
    spawn.hasFewerCapabilities = true
    let container = try await ContainerProcess.start(spawn, output: output)
    containers.withLock { containers in
      containers.removeAll { $0.hasEnded }
      containers.append(container)
    }
    return container
  }

  /// Runs another program in a container: in its namespaces, with its files.
  ///
  /// - Parameters:
  ///   - launch: its mounts are not looked at: they are the container's.
  ///   - container: a process that ``start(_:output:)`` has returned.
  ///   - output: gets what it writes to its standard output and error.
  /// - Throws: ``SandboxError``, in the words of a container runtime, if the program cannot be executed or the container
  ///   has ended.
  package func execute(
    _ launch: Launch, in container: ContainerProcess, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> ContainerProcess {
    var spawn = SandboxSpawn(command: launch.command, environment: launch.environment)
    spawn.environment.merge(
      ["PATH": SandboxSpawn.defaultPath, "HOME": "/root", "HOSTNAME": hostName], uniquingKeysWith: { own, _ in own })
    spawn.joined =
      try namespaces + ["mnt", "pid"].map { name throws(SandboxError) in try container.openNamespace(name) }
    spawn.workingDirectory = launch.workingDirectory ?? "/"
    spawn.hasFewerCapabilities = true
    spawn.isAddition = true
    return try await ContainerProcess.start(spawn, output: output)
  }

  /// Connects a TCP socket in the pod's network namespace to its loopback address. Auto-read is off. What comes
  /// is held back until the first `read` of the channel.
  ///
  /// - Throws: ``SandboxError`` if nothing listens there.
  package func connect(to port: Int, on loop: any EventLoop) async throws -> any Channel {
    let network = namespaces[0]
    let socket: Int32 = try await withCheckedThrowingContinuation { continuation in
      do throws(Errno) {
        // A socket belongs to the network namespace of the thread that makes it. The thread ends in the pod's.
        try NativeThread.start(name: "pod-connect") {
          continuation.resume(with: Result { () throws(SandboxError) in try Self.connect(to: port, in: network) })
        }
      } catch {
        continuation.resume(throwing: SandboxError.connect(port: port, error))
      }
    }
    return try await ClientBootstrap(group: loop)
      .channelOption(.autoRead, value: false)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(SandboxEarlyInput())
        }
      }
      .withConnectedSocket(socket)
      .get()
  }

  private static func connect(to port: Int, in network: Descriptor) throws(SandboxError) -> Int32 {
    guard let number = UInt16(exactly: port) else { throw .connect(port: port, .invalidArgument) }
    do throws(Errno) {
      try shim { minicluster_join_network(network.number) }
      let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = number.bigEndian
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      let socket = try system { Glibc.socket(AF_INET, type, 0) }
      do throws(Errno) {
        _ = try withUnsafePointer(to: &address) { (pointer) throws(Errno) in
          try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (pointer) throws(Errno) in
            try system { Glibc.connect(socket, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) }
          }
        }
        return socket
      } catch {
        close(socket)
        throw error
      }
    } catch {
      throw .connect(port: port, error)
    }
  }

  /// Ends all processes in the namespaces and gives the address back.
  package func remove() async {
    let containers = containers.withLock { $0 }
    for container in containers { container.signal(SIGKILL) }
    for container in containers { _ = await container.end() }
    holder.signal(SIGKILL)
    _ = await holder.end()
    await network.disconnect(link)
  }
}
