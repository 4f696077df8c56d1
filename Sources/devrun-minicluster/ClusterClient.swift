import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import Dispatch
import Glibc
import NIOPosix

/// Runs a body with a client of the cluster of a folder.
func withClient<Value: Sendable>(
  ofClusterIn folder: String, _ body: (KubeClient) async throws -> Value
) async throws -> Value {
  let path = ClusterFolder.absolute(folder)
  guard try ClusterFolder.isReady(path) else {
    throw CommandFailure(
      "there is no cluster in \(path)", remedy: "Start one: devrun-minicluster up --folder \(path)")
  }
  let access = try Kubeconfig.access(
    from: Kubeconfig.Locations(
      file: ClusterFolder.kubeconfig(in: path), environment: [:], home: nil, workingDirectory: path))
  let client = try KubeClient(access: access, environment: [:], group: MultiThreadedEventLoopGroup.singleton)
  let result: Value
  do {
    result = try await body(client)
  } catch {
    try await client.shutdown()
    throw error
  }
  try await client.shutdown()
  return result
}

/// Runs the asynchronous part of a command, and exits with the status that it returns.
func runAndExit(_ body: @escaping @Sendable () async throws -> Int32) -> Never {
  Task {
    do {
      exit(try await body())
    } catch {
      report(error)
      exit(1)
    }
  }
  dispatchMain()
}

/// Prints an error, whose first line is what happened.
func report(_ error: any Error) {
  // There is nobody to report to if standard error is closed.
  try? Descriptor.writeAll("devrun-minicluster: \(error)\n".utf8, to: STDERR_FILENO)
}
