public import DevrunCore

// From the file to the environment, in two steps, because a volume must be fetched before its path is known:
// `volumeReferences` and `serviceReferences` say what a file asks for, before the cluster is touched; `volumes(in:)`
// says which volumes of the container those are; `environment(...)` puts their paths and the services' addresses in.

extension LocalEnvFile {
  /// A volume of the container that the file asks for.
  public struct VolumeUse: Sendable, Hashable {
    /// The volume's name.
    public var volume: String
    /// The absolute path at which the command is to see the files; `nil` where any will do.
    public var mountPath: String?

    /// A use of the given volume.
    public init(volume: String, mountPath: String? = nil) {
      self.volume = volume
      self.mountPath = mountPath
    }
  }

  /// The volumes that the file asks for, in order; a volume as often as it is named.
  public var volumeReferences: [VolumeReference] {
    assignments.flatMap(\.segments).compactMap { if case .volume(let reference) = $0 { reference } else { nil } }
  }

  /// The services that the file asks for, in order; a service as often as it is named.
  public var serviceReferences: [ServiceReference] {
    assignments.flatMap(\.segments).compactMap { if case .service(let reference) = $0 { reference } else { nil } }
  }

  /// Which volumes the file asks for, each use once, in the order of the file.
  ///
  /// - Parameter available: the names of the container's volumes, in the container's order.
  /// - Throws: `LocalEnvError` with every volume that the container does not have, and every path at which two
  ///   different volumes are to be seen.
  public func volumes(in available: [String]) throws(LocalEnvError) -> [VolumeUse] {
    var uses: [VolumeUse] = []
    var problems: [LocalEnvError.Problem] = []
    for reference in volumeReferences {
      guard let volume = reference.pattern.match(in: available) else {
        problems.append(Self.unknown(reference, available: available))
        continue
      }
      let use = VolumeUse(volume: volume, mountPath: reference.mountPath)
      if let path = use.mountPath, let other = uses.first(where: { $0.mountPath == path && $0.volume != volume }) {
        problems.append(
          LocalEnvError.Problem(
            position: reference.position, reason: .mountPathTaken(path, volume: volume, other: other.volume)))
      } else if !uses.contains(use) {
        uses.append(use)
      }
    }
    guard problems.isEmpty else { throw LocalEnvError(source: source, problems: problems) }
    return uses
  }

  /// The file's variables with their values, in the order of the file.
  ///
  /// - Parameters:
  ///   - available: the names of the container's volumes, in the container's order.
  ///   - volumePath: the folder that holds the files of a volume, for those uses that name no path.
  ///   - serviceAddress: the local address of a service.
  /// - Throws: `LocalEnvError` as `volumes(in:)` does, and what the closures throw.
  public func environment(
    volumes available: [String], volumePath: (String) throws -> String,
    serviceAddress: (ServiceReference) throws -> String
  ) throws -> [(name: RawString, value: RawString)] {
    _ = try volumes(in: available)
    return try assignments.map { assignment in
      var value: [UInt8] = []
      for segment in assignment.segments {
        switch segment {
        case .literal(let text): value += text.bytes
        case .service(let reference): value += try serviceAddress(reference).utf8
        case .volume(let reference):
          if let path = reference.mountPath {
            value += path.utf8
          } else if let volume = reference.pattern.match(in: available) {
            value += try volumePath(volume).utf8
          }
        }
      }
      return (assignment.name, RawString(value))
    }
  }

  private static func unknown(_ reference: VolumeReference, available: [String]) -> LocalEnvError.Problem {
    let pattern = reference.pattern.text
    return LocalEnvError.Problem(
      position: reference.position,
      reason: .unknownVolume(pattern, available: available, nearest: nearest(to: pattern, in: available)))
  }
}
