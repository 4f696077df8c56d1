internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan

/// What is printed of the ports on which a command listens, and whether its traffic is taken now. Pure.
struct ListenWords: Sendable {
  private let ports: [PortMapping]
  private var isTaken: Bool
  private var hasNamedAnother = false
  private var begun: Set<UInt16> = []

  /// - Parameters:
  ///   - ports: the redirected ports.
  ///   - isTaken: whether the traffic is taken already.
  init(ports: [PortMapping], isTaken: Bool) {
    self.ports = ports
    self.isTaken = isTaken
  }

  /// Whether the traffic is to be taken: at the first listener, and never again.
  mutating func takesTraffic() -> Bool {
    defer { isTaken = true }
    return !isTaken
  }

  /// What is to be reported of an event.
  mutating func reports(of event: ListenEvent) -> [ReportEvent] {
    switch event {
    case .began(let port):
      begun.insert(port)
      return [.detail("the command listens on port \(port)")]
    case .occupied(let port, let process):
      let remote = ports.first { $0.local == port }?.remote ?? port
      return [
        .warning(
          ErrorMessage(
            "port \(port) is listened on already, by \(process ?? "another process")",
            why: isTaken
              ? "connections to the target reach that process, not the command"
              : "the command did not start it, so connections to the target are not brought to it",
            remedy: "end it, or let the command listen on another port with -p \(remote):PORT"))
      ]
    case .elsewhere(let port):
      guard !isTaken, !hasNamedAnother, let first = ports.first else { return [] }
      hasNamedAnother = true
      return [.waiting("the command listens on \(port); -p \(first.remote):\(port) redirects \(first.remote) to it")]
    case .unreachable(let port, let address):
      // A server may listen on several addresses, and on this one first.
      guard !begun.contains(port) else { return [] }
      let place = address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
      return [
        .waiting(
          "the command listens on \(place), which connections to localhost do not reach; "
            + "let it listen on 127.0.0.1 or 0.0.0.0")
      ]
    case .forbidden(let port):
      let remote = ports.first { $0.local == port }?.remote ?? port
      return [
        .warning(
          ErrorMessage(
            "the command may not listen on port \(port)",
            why: "this machine keeps such ports for root, and file capabilities do not count behind devrun",
            remedy: "let the command listen on another port and redirect to that one, as with: "
              + "-p \(remote):\(Self.unprivileged(port))"))
      ]
    }
  }

  /// What people use in the place of a port that is for root: 8080 for 80, 8443 for 443.
  private static func unprivileged(_ port: UInt16) -> UInt16 { port + 8000 }
}
