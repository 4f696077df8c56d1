public import DevrunConfig
internal import DevrunCore
public import DevrunPlan
public import DevrunSystem
public import DevrunView
public import DevrunWorkload

/// What a session is to do, read from the command line, `devrun.yaml` and `azds-local.env`.
public struct SessionOptions: Sendable {
  /// What is redirected.
  public enum Target: Sendable, Hashable {
    /// Something that runs.
    case existing(TargetReference)
    /// A pod of its own; `image` carries the agent, `nil` for one that runs in the namespace already.
    case newPod(image: String?)
  }

  /// What is redirected.
  public var target: Target
  /// The container that the agent replaces; `nil` to choose by ports.
  public var container: String?
  /// The ports whose connections come here; empty for those that the container declares.
  public var ports: [PortMapping]
  /// What the files that adjust environment and volumes say.
  public var localEnv: LocalEnvFile
  /// Variables of the command line.
  public var variables: [EnvironmentVariables.Variable]

  /// Variables of `devrun.yaml`, which the files of `localEnv` may assign otherwise.
  public var projectVariables: [EnvironmentVariables.Variable] = []
  /// Which of the container's variables the command gets.
  public var containerVariables = NameFilter()
  /// The patterns of variables of this shell and of the container that the command does not get.
  public var unsetVariables: [Wildcard] = []
  /// Whether volumes may also hide what the command or this machine needs.
  public var forcesVolumes = false
  /// The most that is copied of one volume, in bytes.
  public var volumeLimit = defaultVolumeLimit

  /// Namespaces of other contexts of the kubeconfig: their services get names too.
  public var otherNamespaces: [String] = []
  /// The command line that puts back what a session could not put back.
  public var restoreCommand = RestoreCommandLine(namespace: "default")

  /// When the cluster's traffic is taken; `nil` for when the command listens, or at once if the container has no ports.
  public var takeOver: TakeOver?
  /// How long the session's pod may take to start, and later those of the target.
  public var startTimeout = defaultStartTimeout

  /// The ports on the localhost of the target's pods, and the local ports that stand for them.
  public var podPorts: [PortMapping] = []
  /// What else than the cluster's services the command reaches from the session pod's place.
  public var viaPod: [ViaPodText] = []

  /// How long a start may take where nothing else is asked for: a cluster that adds a node for it needs minutes.
  public static let defaultStartTimeout = Duration.seconds(300)

  /// What is copied of one volume where nothing else is asked for, in bytes: most of it lies in memory.
  public static let defaultVolumeLimit = 256 << 20

  /// Options with everything given.
  public init(
    target: Target, container: String?, ports: [PortMapping], localEnv: LocalEnvFile,
    variables: [EnvironmentVariables.Variable]
  ) {
    self.target = target
    self.container = container
    self.ports = ports
    self.localEnv = localEnv
    self.variables = variables
  }

  /// What these options say of the command's environment.
  var environmentRequest: EnvironmentRequest {
    EnvironmentRequest(
      localEnv: localEnv, projectVariables: projectVariables, variables: variables, filter: containerVariables,
      unset: unsetVariables)
  }
}
