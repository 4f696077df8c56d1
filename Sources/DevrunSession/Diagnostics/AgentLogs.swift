internal import DevrunCore
internal import DevrunKube
internal import Synchronization

/// Reads what the session's agents write, for the session's log: one stream for each container with an agent, from its
/// first line on, so that the last words of one that ended are there as well.
///
/// Where the user may not read logs, or there are many pods, the session goes on without.
final class AgentLogs: Sendable {
  /// Each stream is a connection to the API server.
  static let maximumStreams = 16

  private struct State {
    var isAllowed = true
    /// The readers by the container's id, and the containers that were read to their end: one that is started anew is
    /// another container.
    var readers: [String: Task<Void, Never>] = [:]
    var done: Set<String> = []
    /// The containers that run.
    var running: Set<String> = []
  }

  private let namespace: Namespace
  private let container: String
  private let reporter: any Reporter
  private let state = Mutex(State())

  init(in namespace: Namespace, container: String, reporter: any Reporter) {
    self.namespace = namespace
    self.container = container
    self.reporter = reporter
  }

  /// Takes over what the cluster says of a pod.
  func update(_ pod: KubeObject) {
    guard let status = pod.containerStatus(named: container),
      let id = status["containerID"]?.string, !id.isEmpty
    else { return }
    state.withLock { state in
      if status[path: "state", "running"] != nil { state.running.insert(id) } else { state.running.remove(id) }
      guard state.isAllowed, !state.done.contains(id), state.readers[id] == nil,
        state.readers.count < Self.maximumStreams
      else { return }
      let name = pod.name
      state.readers[id] = Task {
        await self.read(name, id)
        self.ended(id)
      }
    }
  }

  /// A pod is gone, and with it the containers that it had.
  func remove(_ pod: KubeObject) {
    let ids = pod.containerStatuses.compactMap { $0["containerID"]?.string }
    state.withLock { $0.running.subtract(ids) }
  }

  /// Ends all reading.
  func end() async {
    let readers = state.withLock { state in
      state.isAllowed = false
      return Array(state.readers.values)
    }
    for reader in readers { reader.cancel() }
    for reader in readers { await reader.value }
  }

  /// Reads until the container ends: connections on which nothing comes are ended by those between, and made anew.
  private func read(_ pod: String, _ id: String) async {
    var backoff = Backoff(limit: .seconds(30))
    var position = LogPosition()
    var hasReported = false
    repeat {
      do {
        let lines = try await namespace.client.followLog(
          namespace: namespace.name, pod: pod, container: container, since: position.time)
        for try await line in lines {
          guard position.advance(to: line) else { continue }
          backoff = Backoff(limit: .seconds(30))
          reporter.report(.agentLine(pod: pod, line.text))
        }
      } catch let error as KubeError where !error.isNotFound && error.status?.refusal != .missingRight {
        // 400: its container has not begun, or is being replaced.
        if !error.isTransient, error.status?.code != 400, !hasReported {
          hasReported = true
          reporter.report(.detail("the log of the agent in pod/\(pod) cannot be read at the moment: \(error)"))
        }
      } catch {
        if !Task.isCancelled { giveUp(pod, error) }
        return
      }
      await backoff.pause()
    } while !Task.isCancelled && state.withLock { $0.running.contains(id) }
  }

  private func ended(_ id: String) {
    state.withLock { state in
      state.readers[id] = nil
      state.done.insert(id)
    }
  }

  private func giveUp(_ pod: String, _ error: any Error) {
    let kube = error as? KubeError
    // A pod that is gone has no log any more, which is nothing to tell of.
    if kube?.isNotFound == true { return }
    let isFirst = state.withLock { state in
      defer { if kube?.isForbidden == true { state.isAllowed = false } }
      return state.isAllowed
    }
    if isFirst { reporter.report(.detail("the log of the agent in pod/\(pod) cannot be read: \(error)")) }
  }
}

/// How far a log has been read: where to go on after a break. The API takes whole seconds, so that the lines of the last
/// second come once more.
struct LogPosition: Sendable {
  /// The time of the last line; `nil` before the first.
  private(set) var time: String?
  private var lines: Set<LogLine> = []

  /// Takes the next line.
  ///
  /// - Returns: whether it is a new one.
  mutating func advance(to line: LogLine) -> Bool {
    if second(time) != second(line.time) { lines = [] }
    time = line.time
    return lines.insert(line).inserted
  }

  /// `2026-01-01T00:00:00`
  private func second(_ time: String?) -> Substring? { time?.prefix(19) }
}
