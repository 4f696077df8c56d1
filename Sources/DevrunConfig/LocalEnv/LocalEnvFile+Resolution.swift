internal import DevrunCore
public import DevrunSystem

// From the file to the environment, in two steps, because a volume must be fetched before its path is known:
// `volumeReferences`, `serviceReferences` and `endpointReferences` return what a file asks for, before the cluster is
// touched; `volumes(in:)` returns the volumes of the container that the file means; `environment(...)` puts their
// paths, the services' addresses and the variables' values in.

extension LocalEnvFile {
  /// A volume of the container that the file asks for, or a part of one.
  public struct VolumeUse: Sendable, Hashable {
    /// The volume's name.
    public var volume: String
    /// The part that is wanted; `nil` for all of it.
    public var part: VolumePart?
    /// The absolute path at which the command is to see the files; `nil` if any path will do.
    public var mountPath: String?

    /// A use of the given volume.
    public init(volume: String, part: VolumePart? = nil, mountPath: String? = nil) {
      self.volume = volume
      self.part = part
      self.mountPath = mountPath
    }

    /// What the command is to see, as a path in the folder that has the wanted files at their places in the volume: the
    /// folder itself, or the part's base within it.
    public func path(in folder: String) -> String {
      ([folder] + (part?.base ?? [])).joined(separator: "/")
    }
  }

  /// The volumes that the file asks for, in order; a volume as often as it is named.
  public var volumeReferences: [VolumeReference] {
    segments.compactMap { if case .volume(let reference) = $0 { reference } else { nil } } + mounts
  }

  /// The services that the file asks for, in order; a service as often as it is named.
  public var serviceReferences: [ServiceReference] {
    segments.compactMap { if case .service(let reference) = $0 { reference } else { nil } }
  }

  /// The hosts outside of the cluster that the file asks for, in order; a host as often as it is named.
  public var endpointReferences: [EndpointReference] {
    segments.compactMap { if case .endpoint(let reference) = $0 { reference } else { nil } }
  }

  /// The variables that the file asks for, in order; a variable as often as it is named.
  public var variableReferences: [VariableReference] {
    segments.compactMap { if case .variable(let reference) = $0 { reference } else { nil } }
  }

  private var segments: [Segment] { assignments.flatMap(\.segments) }

  /// Which volumes the file asks for, each use once, in the order of the file.
  ///
  /// - Parameter available: the names of the container's volumes, in the container's order.
  /// - Throws: `LocalEnvError` with every volume that the container does not have, and every path at which two
  ///   different volumes or parts are to be seen.
  public func volumes(in available: [String]) throws(LocalEnvError) -> [VolumeUse] {
    let (uses, problems) = resolve(volumes: available)
    guard problems.isEmpty else { throw LocalEnvError(problems) }
    return uses
  }

  /// The file's variables with their values, in the order of the file.
  ///
  /// - Parameters:
  ///   - available: the names of the container's volumes, in the container's order.
  ///   - variables: what the command's environment would be without the file, for `${env.NAME}`: the container's
  ///     variables over this shell's, except those that the container never changes.
  ///   - volumePath: the folder that has the files of a use at their places in the volume, for those uses that name no
  ///     path; `VolumeUse.path(in:)` of it becomes the text.
  ///   - serviceAddress: the local address of a service.
  /// - Throws: `LocalEnvError` as `volumes(in:)` does, with every variable that is not there and has no text in its
  ///   place, and what the closures throw.
  public func environment(
    volumes available: [String], variables: EnvironmentVariables, volumePath: (VolumeUse) throws -> String,
    serviceAddress: (ServiceReference) throws -> String
  ) throws -> [EnvironmentVariables.Variable] {
    try check(volumes: available, variables: variables)
    return try assignments.map { assignment in
      var value: [UInt8] = []
      for segment in assignment.segments {
        switch segment {
        case .literal(let text): value += text.bytes
        case .service(let reference): value += try serviceAddress(reference).utf8
        case .endpoint(let reference): value += reference.host.utf8
        case .variable(let reference): value += Self.value(of: reference, in: variables)?.bytes ?? []
        case .volume(let reference):
          if let path = reference.mountPath {
            value += path.utf8
          } else if let use = reference.use(in: available) {
            value += use.path(in: try volumePath(use)).utf8
          }
        }
      }
      return .init(name: assignment.name, value: RawString(value), origin: .file)
    }
  }

  /// Throws `LocalEnvError` with all that `environment(...)` can find wrong.
  private func check(volumes available: [String], variables: EnvironmentVariables) throws(LocalEnvError) {
    var problems = resolve(volumes: available).problems
    let names = variables.map(\.name.description).sorted()
    for reference in variableReferences where Self.value(of: reference, in: variables) == nil {
      let name = reference.name.description
      problems.append(
        .init(position: reference.position, reason: .unknownVariable(name, nearest: nearest(to: name, in: names))))
    }
    guard problems.isEmpty else { throw LocalEnvError(problems.inOrderOfFiles) }
  }

  private func resolve(volumes available: [String]) -> (uses: [VolumeUse], problems: [LocalEnvError.Problem]) {
    var uses: [VolumeUse] = []
    var problems: [LocalEnvError.Problem] = []
    for reference in volumeReferences {
      guard let use = reference.use(in: available) else {
        let name = reference.pattern.text
        problems.append(
          .init(
            position: reference.position,
            reason: .unknownVolume(name, available: available, nearest: nearest(to: name, in: available))))
        continue
      }
      guard !uses.contains(use) else { continue }
      if let path = use.mountPath, let other = uses.first(where: { $0.mountPath == path }) {
        problems.append(
          .init(
            position: reference.position, reason: .mountPathTaken(path, volume: use.name, other: other.name)))
      } else {
        uses.append(use)
      }
    }
    return (uses, problems)
  }

  private static func value(of reference: VariableReference, in variables: EnvironmentVariables) -> RawString? {
    guard let value = variables[reference.name] else { return reference.fallback }
    return value.bytes.isEmpty ? reference.fallback ?? value : value
  }
}

extension LocalEnvFile.VolumeReference {
  /// The use that the reference means in a container with the given volumes; `nil` if the container has no such volume.
  fileprivate func use(in available: [String]) -> LocalEnvFile.VolumeUse? {
    volume(in: available).map { LocalEnvFile.VolumeUse(volume: $0, part: part, mountPath: mountPath) }
  }

  /// The volume of exactly that name, else the first that the pattern matches in the container's order.
  ///
  /// `default-token-*` was the service account's volume before Kubernetes 1.24. If it matches nothing, it stands for
  /// today's, the first `kube-api-access-*`.
  private func volume(in available: [String]) -> String? {
    if available.contains(pattern.text) { return pattern.text }
    if let first = available.first(where: pattern.matches) { return first }
    return pattern.text == "default-token-*" ? available.first(where: Wildcard("kube-api-access-*").matches) : nil
  }
}

extension LocalEnvFile.VolumeUse {
  /// The volume and its part, for people.
  fileprivate var name: String { part.map { "\(volume)/\($0)" } ?? volume }
}

extension [LocalEnvError.Problem] {
  /// Sorted by place, the files in the order in which they occur.
  fileprivate var inOrderOfFiles: Self {
    let sources = map(\.position.source)
    func order(_ problem: Element) -> (Int, Int, Int) {
      let mark = problem.position.mark
      return (sources.firstIndex(of: problem.position.source) ?? 0, mark?.line ?? 0, mark?.column ?? 0)
    }
    return sorted { order($0) < order($1) }
  }
}
