internal import DevrunCore
public import DevrunPlan
public import DevrunSystem
internal import DevrunYAML

/// `devrun.yaml`: the options that would be typed each time. What is absent is `nil` or empty.
///
///     target: deployment/myapp1
///     container: app
///     namespace: shop
///     context: dev
///     kubeconfig: deploy/kubeconfig
///     ports: [8080, "80:8000"]
///     env-file: azds-local.env
///     env:
///       LOG_LEVEL: debug
///       AWS_PROFILE: null  # neither this shell's nor the container's
///     new-pod: false
///     image: registry.example/carrier:1
///     agent-image: registry.example/agent:1
///     isolation: user
///     take-over: listen
///     start-timeout: 5m
///     pod-ports: [3500, "5432:15432"]
///     via-pod: ["${env.NODE_IP}:8126", 10.20.0.0/16]
///
/// Paths are relative to the file. The command line has precedence.
public struct ProjectFile: Sendable {
  /// The file's name.
  public static let fileName = "devrun.yaml"

  /// The file's own path; `nil` for a file without options.
  public private(set) var path: String?
  /// What is redirected, as it is written: `KIND/NAME`.
  public var target: Text?
  /// The container of the target's pods.
  public var container: String?
  /// The namespace.
  public var namespace: String?
  /// The kubeconfig's context.
  public var context: String?
  /// The absolute path of the kubeconfig file.
  public var kubeconfig: String?
  /// The ports to bring here.
  public var ports: [PortMapping] = []
  /// The absolute paths of the files to read in place of `azds-local.env`.
  public var envFiles: [String] = []
  /// Variables to set, in the order of the file.
  public var environment: [EnvironmentVariables.Variable] = []
  /// The patterns of variables of this shell and of the container that the command does not get.
  public var unsetVariables: [Wildcard] = []
  /// Whether to make a pod instead of redirecting one.
  public var newPod: Bool?
  /// The new pod's carrier image.
  public var image: String?
  /// The image to take the agent from.
  public var agentImage: String?
  /// How the command's private view is made.
  public var isolation: IsolationChoice?
  /// When the cluster's traffic is taken.
  public var takeOver: TakeOver?
  /// How long the start may take.
  public var startTimeout: Duration?
  /// The ports on the localhost of the target's pods that the command reaches at its own.
  public var podPorts: [PortMapping] = []
  /// What the command reaches from the session pod's place.
  public var viaPod: [ViaPodText] = []

  /// A file without options.
  public init() {}

  /// The path of the nearest `devrun.yaml`, from a folder (an absolute path) upwards to the project's root; `nil` if
  /// there is none.
  ///
  /// - Parameter trust: whose files count.
  /// - Throws: `ProjectTrustError` for a file that others could have put there.
  public static func find(from directory: String, trust: ProjectTrust) throws(ProjectTrustError) -> String? {
    try ProjectFolder.find([fileName], from: directory, trust: trust).first
  }

  /// Reads the file at an absolute path.
  ///
  /// - Throws: `ProjectFileError` or `YAMLError`.
  public static func load(_ path: String) throws -> ProjectFile {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try BoundedFile.read(path)
    } catch {
      throw ProjectFileError(path: path, reason: error.description)
    }
    return try parse(bytes, source: path)
  }

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - bytes: the text.
  ///   - source: the file's absolute path, for errors and for the paths relative to it.
  /// - Throws: `YAMLError`.
  public static func parse(_ bytes: [UInt8], source: String) throws -> ProjectFile {
    let root = try YAMLField(parsing: bytes, source: source)
    var file = ProjectFile()
    file.path = source
    for member in try root.members() {
      guard let key = Key(rawValue: member.key) else {
        let keys = Key.allCases.map(\.rawValue)
        throw YAMLError(
          source: source, mark: member.mark,
          reason: .unknownKey(member.key, allowed: keys, nearest: nearest(to: member.key, in: keys)))
      }
      if !member.value.node.isNull { try file.set(key, to: member.value, directory: ConfigPath.folder(of: source)) }
    }
    return file
  }

  private enum Key: String, CaseIterable {
    case target, container, namespace, context, kubeconfig, ports, env, image, isolation
    case envFile = "env-file"
    case newPod = "new-pod"
    case agentImage = "agent-image"
    case takeOver = "take-over"
    case startTimeout = "start-timeout"
    case podPorts = "pod-ports"
    case viaPod = "via-pod"
  }

  private mutating func set(_ key: Key, to field: YAMLField, directory: String) throws {
    switch key {
    case .target: target = Text(text: try field.string(), field: field)
    case .container: container = try field.label()
    case .namespace: namespace = try field.label()
    case .context: context = try field.text()
    case .kubeconfig: kubeconfig = ConfigPath.resolve(try field.nonEmptyString(), in: directory)
    case .ports: ports = try field.elements().map { port in try port.parsed(port.text(), PortMapping.init(parsing:)) }
    case .envFile:
      let files = if case .sequence = field.node.content { try field.elements() } else { [field] }
      envFiles = try files.map { ConfigPath.resolve(try $0.nonEmptyString(), in: directory) }
    case .env:
      for member in try field.members() {
        let variable = try Self.variable(member)
        if let variable { environment.append(variable) } else { unsetVariables.append(Wildcard(member.key)) }
      }
    case .newPod: newPod = try field.bool()
    case .image: image = try field.nonEmptyString()
    case .agentImage: agentImage = try field.nonEmptyString()
    case .isolation: isolation = try field.choice(of: IsolationChoice.self)
    case .takeOver: takeOver = try field.choice(of: TakeOver.self)
    case .startTimeout: startTimeout = try field.duration()
    case .podPorts:
      podPorts = try field.elements().map { port in try port.parsed(port.text(), PortMapping.init(parsing:)) }
    case .viaPod: viaPod = try field.elements().map { text in try text.parsed(text.text(), ViaPodText.init(parsing:)) }
    }
  }

  /// The variable that a member of `env` sets; `nil` if the member has no value and so unsets it.
  private static func variable(_ member: YAMLField.Member) throws -> EnvironmentVariables.Variable? {
    guard !member.key.isEmpty, !member.key.contains("="), !member.key.contains("\0") else {
      throw YAMLError(
        source: member.value.source, mark: member.mark,
        reason: .unexpected(path: "env", problem: "has '\(member.key)', which is no name of a variable", remedy: nil))
    }
    // Who writes nothing at all may mean an empty text.
    if case .scalar(let scalar) = member.value.node.content, member.value.node.isNull, !scalar.text.isEmpty {
      return nil
    }
    let text = try member.value.text()
    guard !text.contains("\0") else { throw member.value.error("holds a NUL, which no variable can") }
    return .init(name: RawString(member.key), value: RawString(text), origin: .option)
  }
}

extension ProjectFile {
  /// A text of the file that another module reads.
  public struct Text: Sendable {
    /// The text.
    public let text: String
    fileprivate let field: YAMLField

    /// Reads the text. An error gets the place of the text in the file.
    ///
    /// - Throws: `YAMLError` in place of what `parse` throws.
    public func parsed<Value>(_ parse: (String) throws -> Value) throws -> Value { try field.parsed(text, parse) }
  }
}

extension YAMLField {
  /// A value of a text that has a parser of its own, whose error gets this place.
  fileprivate func parsed<Value>(_ text: String, _ parse: (String) throws -> Value) throws -> Value {
    do {
      return try parse(text)
    } catch let failure as any UserFacingError {
      let remedy = [failure.message.why, failure.message.remedy].compactMap { $0 }.joined(separator: "; ")
      throw error("is wrong: \(failure.message.what)", remedy: remedy.isEmpty ? nil : remedy)
    }
  }

  fileprivate func nonEmptyString() throws -> String {
    let text = try string()
    guard !text.isEmpty else { throw error("must not be empty") }
    return text
  }

  fileprivate func label() throws -> String {
    let text = try text()
    guard DNSName.isLabel(text) else {
      throw error("is '\(text)', but names have lower-case letters, digits and '-', at most 63 in all")
    }
    return text
  }

  fileprivate func choice<Choice: CaseIterable & RawRepresentable<String>>(of type: Choice.Type) throws -> Choice {
    let text = try string()
    let all = Choice.allCases.map(\.rawValue)
    guard let choice = Choice(rawValue: text) else {
      throw error(
        "is '\(text)', but must be one of \(all.joined(separator: ", "))",
        remedy: nearest(to: text, in: all).map { "did you mean \($0)?" })
    }
    return choice
  }

  fileprivate func duration() throws -> Duration {
    let text = try text()
    guard let duration = DurationText.parse(text) else {
      throw error("is '\(text)', but must be a duration such as 30s or 5m")
    }
    return duration
  }
}
