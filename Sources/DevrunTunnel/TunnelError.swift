public import DevrunCore

/// What can go wrong with a tunnel as a whole, or with a question to the agent.
public enum TunnelError: UserFacingError, Hashable {
  /// The agent turned devrun away. `nil` for a reason that this version of devrun does not know.
  case refused(PrefaceRefusal?, agentVersion: UInt8, String)
  /// Nothing that speaks devrun's protocol answers at the agent's port.
  case noAgent(String)
  /// The agent did not answer in time.
  case timedOut
  /// The connection to the agent broke.
  case lost(String)
  /// The agent answered a question with a failure: the question, and the agent's words.
  case failedRequest(String, String)
  /// The agent's answer is larger than anything that it can be.
  case answerTooLarge(String)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .refused(.wrongSecret, _, let text):
      ErrorMessage(
        "the agent does not accept this session", why: text,
        remedy: "another devrun has taken the workload over; run 'devrun restore' when it is done, and try again")
    case .refused(.unsupportedVersion, let version, let text):
      ErrorMessage(
        "the agent in the pod is of another version of devrun (protocol \(version))", why: text,
        remedy: "run 'devrun restore' with the devrun that started it, and try again")
    case .refused(_, _, let text): ErrorMessage("the agent turned devrun away", why: text)
    case .noAgent(let why): ErrorMessage("the agent in the pod does not answer", why: why)
    case .timedOut: ErrorMessage("the agent in the pod did not answer in time")
    case .lost(let why): ErrorMessage("the connection to the agent broke", why: why)
    case .failedRequest(let what, let why): ErrorMessage("the agent could not give \(what)", why: why)
    case .answerTooLarge(let what): ErrorMessage("the agent's answer is too large to be \(what)")
    }
  }
}
