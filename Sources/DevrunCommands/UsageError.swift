internal import DevrunCore

/// What is wrong with the command line or with `devrun.yaml`, but only seen when both have been read.
enum UsageError: UserFacingError, Hashable {
  /// Neither names a target.
  case noTarget
  /// `devrun.yaml` names an image for the agent.
  case agentImage

  /// What is printed.
  var message: ErrorMessage {
    switch self {
    case .noTarget: ErrorMessage("there is no target: name one with --target KIND/NAME")
    case .agentImage:
      ErrorMessage("devrun.yaml: agent-image is not supported yet; the agent travels in ConfigMaps")
    }
  }

  /// The command line is wrong.
  var exitStatus: ExitStatus { .usage }
}
