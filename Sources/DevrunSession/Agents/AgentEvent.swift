internal import DevrunCore

/// What happens to a session's pods.
enum AgentEvent: Sendable {
  /// A tunnel to this pod is up.
  case attached(pod: String)
  /// A pod has no tunnel yet, or none any more; `why` is what it waits for, in the cluster's words.
  case waiting(pod: String, why: String)
  /// A pod waits for something that does not pass by itself: its image may not be pulled, say.
  case hopeless(pod: String, why: String)
  /// A pod has failed as a whole: the kubelet rejected or evicted it, or its containers have ended. It will not run again;
  /// a workload makes another pod in its place.
  case rejected(pod: String, why: String)
  /// A pod is deleted.
  case gone(pod: String)
  /// The cluster, or the agent, refuses the connection to a pod. The connection is tried again all the same.
  case unreachable(pod: String, error: any Error)
  /// The pods cannot be followed at the moment; the text is why. Tunnels stay, and the watch is tried again.
  case troubled(String)
  /// The pods are followed again.
  case recovered

  /// The pod that the event is about; `nil` for an event of the watch.
  var pod: String? {
    switch self {
    case .attached(let pod), .waiting(let pod, _), .hopeless(let pod, _), .rejected(let pod, _), .gone(let pod),
      .unreachable(let pod, _):
      pod
    case .troubled, .recovered: nil
    }
  }
}

extension ErrorMessage {
  /// What happened and why, in one line and without a remedy.
  init(oneLineOf error: any Error) {
    let message = (error as? any UserFacingError)?.message ?? ErrorMessage("\(error)")
    let parts = [message.what, message.why].compactMap { $0?.split(separator: "\n").joined(separator: "; ") }
    self.init(parts.joined(separator: ": "))
  }
}
