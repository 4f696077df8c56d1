import DevrunConfig
import DevrunCore
import DevrunKube
import Foundation
import NIOPosix
import Synchronization
import TestCluster

@testable import DevrunSession
@testable import DevrunWorkload

/// Parts of a session `s1` in a cluster in memory.
struct SessionInMemory {
  /// What is reported.
  let journal = Journal()
  let context: SessionContext
  let collector: StateCollector

  init(in namespace: Namespace, startTimeout: Duration) {
    let urgency = RestoreUrgency()
    context = SessionContext(
      name: "s1", namespace: namespace, holder: "ann@desk", reporter: journal, urgency: urgency,
      services: Services(reporter: journal),
      patience: Patience(limit: .seconds(60), reporter: journal, urgency: urgency), losses: Losses(),
      startTimeout: startTimeout, restoreCommand: RestoreCommandLine(namespace: namespace.name),
      loop: MultiThreadedEventLoopGroup.singleton.next())
    collector = StateCollector(
      of: SessionSnapshot(
        session: "s1", devrun: "0", process: 1, since: .now, target: "deployment/web", namespace: "ns", context: "c",
        server: "s", command: "run", folder: ""), reporter: RunReporter(terminal: journal))
  }

  /// What is reported, as texts.
  final class Journal: Reporter {
    /// The texts as they come.
    let news: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    private let lines = Mutex<[String]>([])

    init() { (news, continuation) = AsyncStream.makeStream() }

    /// The texts until now.
    var all: [String] { lines.withLock { $0 } }

    /// No more texts come.
    func finish() { continuation.finish() }

    func report(_ event: ReportEvent) {
      switch event {
      case .warning(let message): note("warning: \(message.what)")
      case .waiting(let text), .fact(let text), .step(let text), .detail(let text): note(text)
      default: return
      }
    }

    private func note(_ line: String) {
      lines.withLock { $0.append(line) }
      continuation.yield(line)
    }
  }

  /// Makes a Deployment in a cluster.
  static func deploy(_ name: String = "web", in cluster: FakeCluster) {
    cluster.change("deployments/\(name)") { deployment in
      deployment.spec = [
        "replicas": 1, "revisionHistoryLimit": 10, "selector": ["matchLabels": ["app": .string(name)]],
      ]
      deployment.template = [
        "metadata": ["labels": ["app": .string(name)]],
        "spec": ["containers": [["name": "app", "image": "a", "ports": [["containerPort": 80]]]]],
      ]
    }
  }

  /// What a session puts into a Deployment.
  static func agent(_ session: String) -> AgentTemplate {
    AgentTemplate(
      session: session, container: "app",
      payload: PayloadConfigMaps(
        loader: "devrun-\(session)-loader", pieces: ["devrun-\(session)-0"], architecture: "amd64"),
      access: AgentPorts(control: 20_001, probe: 20_002, ready: 20_003), secretDigest: "ab", ports: [80])
  }

  /// Fails each request of a kind once.
  static func refuseOnce(_ beginning: String, with status: FakeStatus, _ times: Int = 1) -> FakeCluster.Rule {
    let left = Counter(times)
    return { request in request.hasPrefix(beginning) && left.take() ? status : nil }
  }

  private final class Counter: Sendable {
    private let left: Mutex<Int>

    init(_ left: Int) { self.left = Mutex(left) }

    func take() -> Bool {
      left.withLock { left in
        left -= 1
        return left >= 0
      }
    }
  }
}
