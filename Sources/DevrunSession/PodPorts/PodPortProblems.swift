internal import DevrunCore
internal import DevrunKube
internal import DevrunTunnel
internal import Synchronization

/// Reports why connections to ports of the pods' localhost fail: each kind of failure of a port once, and the others as
/// details. The cluster's words have times and numbers of processes in them, so that no two are the same.
final class PodPortProblems: Sendable {
  private struct Problem: Hashable {
    var port: UInt16
    var kind: Kind
  }

  private enum Kind: Hashable {
    case status(Int)
    case remote
    case closed(Int)
    case dial(DialError)
    /// Any other error, by the name of its type and what it is called there.
    case other(String)

    init(_ error: any Error) {
      switch error {
      case let error as KubeError: self = error.status.map { .status($0.code) } ?? .other(Self.name(of: error))
      case PortForwardError.remote: self = .remote
      case PortForwardError.closed(let code, _): self = .closed(code)
      // The agent's words may have anything in them.
      case DialError.failed(.refused): self = .other(Self.name(of: error))
      case let error as DialError: self = .dial(error)
      default: self = .other(Self.name(of: error))
      }
    }

    private static func name(of error: any Error) -> String {
      "\(type(of: error)).\(Mirror(reflecting: error).children.first?.label ?? "")"
    }
  }

  private let reporter: any Reporter
  private let reported = Mutex<Set<Problem>>([])

  init(_ reporter: any Reporter) { self.reporter = reporter }

  /// Reports a failure.
  ///
  /// - Parameter pod: the pod's name; `nil` if there was none.
  func report(_ error: any Error, port: UInt16, pod: String?) {
    let place = pod.map { "pod/\($0)" } ?? "the target's pods"
    let message = ErrorMessage(
      "a connection to port \(port) on the localhost of \(place) failed", why: ErrorMessage(oneLineOf: error).what)
    let isNew = reported.withLock { $0.insert(Problem(port: port, kind: Kind(error))).inserted }
    reporter.report(isNew ? .warning(message) : .detail("\(message.what): \(message.why ?? "")"))
  }
}
