internal import DevrunAgentAPI
internal import DevrunCore
internal import DevrunPlan
internal import DevrunSystem
internal import DevrunView

/// What the command of a session sees, made ready before it starts.
struct SessionView: Sendable {
  /// The cluster's services.
  var cluster: ClusterView
  /// Facts about the container.
  var info: AgentInfo
  /// The volumes that lie here.
  var volumes: MaterializedVolumes
  /// The command's variables.
  var environment: EnvironmentVariables
  /// The values of the container's variables that are secrets.
  var secrets: [RawString]
  /// The path of the private hosts file.
  var hostsFile: String
  /// What else decides here what a name means.
  var nameService: NameService
  /// Where it is listed what is made on this machine for volumes to be shown at.
  var mountPointRecord: RawString
  /// The addresses of the session's pod, as the command's variables have them.
  var podAddresses: [IPAddress] = []

  /// The names of the variables whose values are secrets.
  var secretNames: Set<RawString> { SecretMask.names(ofSecretsIn: environment, known: secrets) }

  /// The plan to run a program with this view.
  ///
  /// - Parameter ports: the local ports on which the program is expected to listen.
  func plan(
    for program: ProgramInvocation, isolation: Isolation, forcesVolumes: Bool, listening ports: Set<UInt16>
  ) -> LaunchPlan {
    var plan = LaunchPlan(
      executable: program.executable, arguments: program.arguments, environment: environment.sorted(),
      isolation: isolation, hostsFile: RawString(hostsFile),
      nameServiceSwitchFile: nameService.switchFile.map { RawString($0) }, mounts: volumes.mounts,
      forcesVolumes: forcesVolumes, hiddenPaths: nameService.hiddenPaths.map { RawString($0) })
    plan.listenPorts = ports
    plan.podAddresses = podAddresses
    plan.mountPointRecord = mountPointRecord
    return plan
  }
}
