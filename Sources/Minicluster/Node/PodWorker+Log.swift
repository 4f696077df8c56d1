internal import DevrunCore
internal import DevrunKube
internal import NIOCore
internal import Synchronization

extension PodWorker {
  /// The log of a container, or the reason that there is none, in the words of the API server and of kubelet.
  func log(_ options: LogOptions) throws(APIFailure) -> AsyncStream<ByteBuffer> {
    let pod = pod
    let containers = pod.containers.map(\.name)
    let all = containers + (pod.spec["initContainers"]?.array ?? []).map { Container($0).name }
    let container: String
    if let named = options.container, !named.isEmpty {
      guard all.contains(named) else {
        throw Self.refusal("container \(named) is not valid for pod \(name.name)")
      }
      container = named
    } else if let only = containers.first, containers.count == 1 {
      container = only
    } else {
      throw Self.refusal(
        "a container name must be specified for pod \(name.name), choose one of: [\(containers.joined(separator: " "))]"
      )
    }
    let (logs, record) = (state.withLock { $0.logs[container] ?? [] }, record(of: container))
    if options.previous {
      // While the container waits for its next run, the last run is the previous one.
      let isWaiting = if case .waiting = record?.state { true } else { false }
      guard let log = isWaiting ? logs.last : logs.dropLast().last else {
        throw Self.refusal("previous terminated container \"\(container)\" in pod \"\(name.name)\" not found")
      }
      return log.stream(options)
    }
    if let log = logs.last { return log.stream(options) }
    var reason = "ContainerCreating"
    if case .waiting(let waiting, _)? = record?.state { reason = waiting }
    throw Self.refusal("container \"\(container)\" in pod \"\(name.name)\" is waiting to start: \(reason)")
  }

  private static func refusal(_ message: String) -> APIFailure {
    APIFailure(APIStatus(code: 400, reason: "BadRequest", message: message))
  }
}
