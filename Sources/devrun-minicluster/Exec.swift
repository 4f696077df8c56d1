import ArgumentParser
import DevrunCore
import DevrunKube
import DevrunSystem
import Glibc
import Minicluster

/// `devrun-minicluster exec`
struct Exec: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a command in a pod's container, and exits with the command's status.")

  @OptionGroup var cluster: ClusterInUse
  @Option(name: .shortAndLong, help: "The pod's namespace.")
  var namespace = "default"
  @Option(name: .shortAndLong, help: "The container; by default the pod's first one.")
  var container: String?
  @Argument(help: "The pod: its name, or deployment/NAME for a pod of a Deployment.")
  var pod: String
  @Argument(parsing: .captureForPassthrough, help: "The command.")
  var command: [String]

  private var words: [String] { command.first == "--" ? Array(command.dropFirst()) : command }

  func validate() throws {
    if words.isEmpty { throw ValidationError("Name a command: devrun-minicluster exec POD -- COMMAND") }
  }

  func run() throws {
    let (folder, words) = (cluster.path, words)
    // The terminal sends its signals to the command as well, which decides.
    signal(SIGINT, SIG_IGN)
    signal(SIGQUIT, SIG_IGN)
    runAndExit {
      let id = try await withClient(ofClusterIn: folder) { client in try await containerID(client) }
      guard let running = RunningContainer(containerID: id) else {
        throw CommandFailure("\(pod) does not run on this machine", why: "its container is \(id)")
      }
      do {
        switch try await running.execute(words) {
        case .exited(let status): return status
        case .killed(let signal): return 128 + signal
        }
      } catch let error as SandboxError {
        report(error)
        return 126
      }
    }
  }

  /// The `containerID` of the container that is meant.
  private func containerID(_ client: KubeClient) async throws -> String {
    let pod = try await podObject(client)
    let statuses = pod.status["containerStatuses"]?.array ?? []
    let name = container ?? pod.spec["containers"]?.array?.first?["name"]?.string
    guard let status = statuses.first(where: { $0["name"]?.string == name }) else {
      throw CommandFailure("pod \(pod.name) has no container \(name ?? "")")
    }
    guard status["state"]?["running"] != nil, let id = status["containerID"]?.string else {
      throw CommandFailure("container \(name ?? "") of pod \(pod.name) does not run")
    }
    return id
  }

  private func podObject(_ client: KubeClient) async throws -> KubeObject {
    let parts = pod.split(separator: "/", maxSplits: 1).map(String.init)
    let pods = ResourcePath.pods(in: namespace)
    guard parts.count == 2, !["pod", "pods", "po"].contains(parts[0]) else {
      return try await client.get(pods.named(parts.last ?? ""))
    }
    guard ["deployment", "deployments", "deploy"].contains(parts[0]) else {
      throw CommandFailure("\(pod) is no pod", remedy: "Name a pod, or deployment/NAME.")
    }
    let deployment = try await client.get(ResourcePath.deployments(in: namespace).named(parts[1]))
    let labels = deployment.spec["selector"]?["matchLabels"]?.object ?? [:]
    let selector = labels.compactMap { name, value in value.string.map { "\(name)=\($0)" } }.sorted()
    let found = try await client.list(pods, labelSelector: selector.joined(separator: ",")).items
    guard let pod = found.first(where: { $0.status["phase"]?.string == "Running" && !$0.isTerminating }) else {
      throw CommandFailure("no pod of \(pod) runs")
    }
    return pod
  }
}
