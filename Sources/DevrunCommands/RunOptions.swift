internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import DevrunSession
internal import DevrunWorkload

/// The options of a run.
struct RunOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The workload to connect to: deployment/NAME, service/NAME or pod/NAME.", valueName: "kind/name"))
  var target: String?

  @Flag(help: "Create a pod for this session instead of connecting to a workload.")
  var newPod = false

  @Option(
    help: ArgumentHelp("The image of the new pod. Default: one that runs in the namespace already.", valueName: "ref"))
  var image: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      """
      The container whose environment and volumes the command gets, and which is replaced when traffic is taken. \
      Default: the one that serves the ports.
      """, valueName: "name"))
  var container: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A port to redirect; repeatable. Default: each port that the container declares or a Service leads to.",
      valueName: "remote[:local]"))
  var port: [String] = []

  @OptionGroup var environment: EnvironmentOptions

  @Option(
    help: ArgumentHelp(
      """
      The largest volume to copy, such as 500Mi or 2Gi. Default: \
      \(ByteCount.text(SessionOptions.defaultVolumeLimit)).
      """, valueName: "bytes"),
    transform: { try RunOptions.byteCount($0) })
  var volumeLimit: Int?

  @Flag(help: "Show volumes even where they hide what this machine or the command needs.")
  var forceVolumes = false

  @Flag(help: "Keep the session until the last process that the command left running has ended.")
  var wait = false

  @Option(
    help: ArgumentHelp(
      "How the private view of files is made: \(IsolationChoice.names.joined(separator: ", ")).", valueName: "how"),
    completion: .list(IsolationChoice.names), transform: IsolationChoice.named)
  var isolation: IsolationChoice?

  @Option(
    help: ArgumentHelp(
      """
      When connections to the target come here: listen (when the command first listens on a redirected port), now \
      (before the command starts) or never. Default: listen; now for a container without ports.
      """, valueName: "when"),
    completion: .list(TakeOver.names), transform: TakeOver.named)
  var takeOver: TakeOver?

  @Option(
    help: ArgumentHelp(
      """
      How long the session pod, and later the target's pods, may take to start, such as 30s or 2m. Default: \
      \(DurationText.text(SessionOptions.defaultStartTimeout)).
      """, valueName: "duration"),
    transform: { try RunOptions.duration($0) })
  var startTimeout: Duration?

  @OptionGroup var podPlace: PodPlaceOptions

  @OptionGroup var cluster: ClusterOptions

  /// What the command line and the files ask for; no options if they name no target.
  func sessionOptions(_ process: ProcessContext, _ project: ProjectFile) throws -> (
    SessionOptions?, warnings: [String]
  ) {
    if project.agentImage != nil { throw UsageError.agentImage }
    let ports = try PortMapping.unambiguous(port.isEmpty ? project.ports : port.map(PortMapping.init(parsing:)))
    let (localEnv, warnings) = try environment.localEnv(process, project)
    let chosen: SessionOptions.Target?
    if newPod || project.newPod == true && target == nil {
      chosen = .newPod(image: image ?? project.image)
    } else {
      chosen = try (target.map(TargetReference.init(parsing:)) ?? project.targetReference).map { .existing($0) }
    }
    guard let chosen else { return (nil, warnings) }
    var options = environment.options(
      target: chosen, container: container ?? project.container, ports: ports, localEnv: localEnv, project: project)
    if let volumeLimit { options.volumeLimit = volumeLimit }
    options.forcesVolumes = forceVolumes
    options.takeOver = takeOver ?? project.takeOver
    if let timeout = startTimeout ?? project.startTimeout { options.startTimeout = timeout }
    let notices = try podPlace.apply(to: &options, project)
    return (options, warnings + notices)
  }

  static func duration(_ text: String) throws -> Duration {
    guard let duration = DurationText.parse(text) else { throw ValidationError("write a duration such as 30s or 5m") }
    return duration
  }

  private static func byteCount(_ text: String) throws -> Int {
    guard let bytes = ByteCount.parse(text) else { throw ValidationError("write a number such as 500Mi or 2Gi") }
    return bytes
  }
}
