internal import DevrunCore

/// What is wrong with the command line or with `devrun.yaml`, but only seen when both have been read.
enum UsageError: UserFacingError, Hashable {
  /// Neither names a target.
  case noTarget
  /// `devrun.yaml` names an image for the agent.
  case agentImage
  /// Ports of the pods' localhost are named, and no target whose pods these could be.
  case podPortOfNewPod

  /// What is printed.
  var message: ErrorMessage {
    switch self {
    case .noTarget: ErrorMessage("there is no target: name one with --target KIND/NAME")
    case .agentImage:
      ErrorMessage("devrun.yaml: agent-image is not supported yet; the agent travels in ConfigMaps")
    case .podPortOfNewPod:
      ErrorMessage(
        "--pod-port and --new-pod exclude each other",
        why: "nothing but devrun's agent runs in the new pod, so nothing else listens on its localhost",
        remedy: "name the workload whose pods have what you want to reach with --target KIND/NAME")
    }
  }

  /// The command line is wrong.
  var exitStatus: ExitStatus { .usage }
}
