internal import DevrunCore
internal import DevrunSystem
internal import DevrunYAML

/// The clusters, users and contexts that kubectl would find: the kubeconfig files merged. Files are only read,
/// except for renewed tokens (`replace`).
///
/// The rules are those of kubectl (client-go's `clientcmd` loading rules): `--kubeconfig` names the only file; else
/// `KUBECONFIG` lists the files; else there is `~/.kube/config`. The first file that defines a name has it whole, and
/// the first that sets the current context decides. A path in a file is relative to that file.
///
/// Only what the wanted context refers to is checked: a mistake elsewhere in a file does no harm.
public struct Kubeconfig: Sendable {
  /// The places of the configuration. All that comes from the process is here, so that nothing is reached for.
  public struct Locations: Sendable, Hashable {
    /// The file of `--kubeconfig`, if given. It must exist.
    public var file: String?
    /// The process's environment: `KUBECONFIG`, and for the in-cluster configuration `KUBERNETES_SERVICE_HOST`,
    /// `KUBERNETES_SERVICE_PORT` and `POD_NAMESPACE`.
    public var environment: [String: String]
    /// The user's home folder, if there is one.
    public var home: String?
    /// The absolute path of the folder that relative paths start from.
    public var workingDirectory: String
    /// The folder of a pod's service account.
    public var serviceAccountDirectory: String

    /// Locations of the given parts.
    public init(
      file: String? = nil, environment: [String: String], home: String?, workingDirectory: String,
      serviceAccountDirectory: String = "/var/run/secrets/kubernetes.io/serviceaccount"
    ) {
      self.file = file
      self.environment = environment
      self.home = home
      self.workingDirectory = workingDirectory
      self.serviceAccountDirectory = serviceAccountDirectory
    }

    /// The files to merge, in order, as absolute paths. Those that do not exist are among them.
    public var files: [String] {
      if let file { return [ConfigPath.resolve(file, in: workingDirectory)] }
      if let list = environment["KUBECONFIG"], !list.isEmpty {
        var seen: Set<String> = []
        return list.split(separator: ":").map(String.init)
          .filter { seen.insert($0).inserted }
          .map { ConfigPath.resolve($0, in: workingDirectory) }
      }
      return home.map { [ConfigPath.resolve(".kube/config", in: $0)] } ?? []
    }
  }

  /// A named cluster, user or context: its definition, and the folder that its paths are relative to.
  struct Definition: Sendable {
    var name: String
    var field: YAMLField
    var directory: String
  }

  var clusters: [Definition] = []
  var users: [Definition] = []
  var contexts: [Definition] = []
  /// The field that sets the current context.
  var currentContext: YAMLField?
  /// The files that exist, in order.
  var files: [String] = []
  /// What is odd in the files, though kubectl takes it without a word.
  var warnings: [ErrorMessage] = []

  /// The names of the contexts, in the order of the files.
  public var contextNames: [String] { contexts.map(\.name) }

  /// Whether no file exists or all are empty.
  public var isEmpty: Bool { clusters.isEmpty && users.isEmpty && contexts.isEmpty && currentContext == nil }

  /// Reads and merges the files.
  ///
  /// - Throws: `KubeconfigError` where a file cannot be read, `YAMLError` where it is not what it should be.
  public static func load(from locations: Locations) throws -> Kubeconfig {
    var kubeconfig = Kubeconfig()
    for path in locations.files {
      do {
        try kubeconfig.merge(BoundedFile.read(path), path: path)
      } catch let error as Errno {
        if error.isMissing, locations.file == nil { continue }
        throw KubeconfigError.unreadable(path: path, referrer: nil, reason: error.description)
      }
    }
    return kubeconfig
  }

  /// A file may be one mistake from beginning to end.
  private static let mostWarnings = 5

  /// Adds what a file defines and those before it do not.
  private mutating func merge(_ bytes: [UInt8], path: String) throws {
    let document = try YAML.firstDocument(of: bytes, source: path)
    let root = YAMLField(document.root, source: path)
    warnings += document.doubledKeys.prefix(Self.mostWarnings).map { doubled in
      ErrorMessage(
        "\(TextPosition(source: path, mark: doubled.last)): the key '\(doubled.key)' is there already, in line"
          + " \(doubled.first.line)", why: "the last one counts, as for kubectl")
    }
    files.append(path)
    try Self.expect("v1", as: "apiVersion", of: root)
    try Self.expect("Config", as: "kind", of: root)
    let directory = ConfigPath.folder(of: path)
    try Self.merge("clusters", key: "cluster", of: root, directory: directory, into: &clusters)
    try Self.merge("users", key: "user", of: root, directory: directory, into: &users)
    try Self.merge("contexts", key: "context", of: root, directory: directory, into: &contexts)
    if currentContext == nil, let current = try root.member("current-context"), try !current.string().isEmpty {
      currentContext = current
    }
  }

  /// Both may be left out, as kubectl allows it.
  private static func expect(_ expected: String, as key: String, of root: YAMLField) throws {
    guard let field = try root.member(key) else { return }
    let found = try field.string()
    guard found.isEmpty || found == expected else {
      throw field.error(
        "is '\(found)', but a kubeconfig has '\(expected)'", remedy: "is this a file of some other kind?")
    }
  }

  private static func merge(
    _ list: String, key: String, of root: YAMLField, directory: String, into definitions: inout [Definition]
  ) throws {
    guard let elements = try root.member(list)?.elements() else { return }
    let earlier = Set(definitions.map(\.name))
    var here: [String: TextMark] = [:]
    for element in elements {
      // What has no name, or is no mapping, cannot be referred to.
      guard let nameField = try? element.member("name"), let name = try? nameField.string() else { continue }
      if let first = here.updateValue(nameField.node.mark, forKey: name) {
        throw nameField.error("is '\(name)', which is the name of another one, in line \(first.line)")
      }
      if earlier.contains(name) { continue }
      let empty = YAMLNode(.mapping([]), at: element.node.mark)
      let field =
        try element.member(key)
        ?? YAMLField(empty, source: element.source, path: "\(element.path).\(key)")
      definitions.append(Definition(name: name, field: field, directory: directory))
    }
  }
}
