internal import NIOCore

/// What kubelet asks of a pod's namespaces.
protocol PodSandbox: Sendable {
  /// The process that holds the namespaces.
  var process: Int32 { get }
  /// The pod's address.
  var address: String { get }

  /// Starts a process in the namespaces.
  func launch(
    _ launch: Sandbox.Launch, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> any PodProcess
  /// Runs another program beside a container's process, with its files.
  func execute(
    _ launch: Sandbox.Launch, beside process: any PodProcess, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> any PodProcess
  /// Connects a socket to the pod's loopback address.
  func connect(to port: Int, on loop: any EventLoop) async throws -> any Channel
  /// Ends all processes in the namespaces.
  func remove() async
}

/// What kubelet asks of a container's process.
protocol PodProcess: Sendable {
  /// The process.
  var process: Int32 { get }

  /// Waits for its end.
  func end() async -> ContainerProcess.End
  /// Sends a signal.
  func signal(_ signal: Int32)
}

extension ContainerProcess: PodProcess {}

extension Sandbox: PodSandbox {
  func launch(
    _ launch: Launch, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> any PodProcess {
    try await start(launch, output: output)
  }

  func execute(
    _ launch: Launch, beside process: any PodProcess, output: @escaping @Sendable (ByteBuffer) -> Void
  ) async throws -> any PodProcess {
    guard let container = process as? ContainerProcess else { throw ForeignProcess() }
    return try await execute(launch, in: container, output: output)
  }
}

extension ContainerProcess.End {
  /// The exit code that a status shows.
  var exitCode: Int32 {
    switch self {
    case .exited(let code): code
    case .killed(let signal): 128 + signal
    }
  }
}

/// A process was named that no sandbox of this kind has started.
struct ForeignProcess: Error {}
