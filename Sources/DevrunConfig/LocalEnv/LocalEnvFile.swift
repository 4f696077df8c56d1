public import DevrunCore

/// The contents of a file that adjusts the command's environment (`AzdsLocalEnv`, `KubernetesLocalProcessConfig`), or
/// of several: variables whose values may stand for volumes, services, hosts and other variables, and volumes that are
/// to be seen at paths of their own.
public struct LocalEnvFile: Sendable, Hashable {
  /// The assignments that count, in the order of the file: one for each name.
  public var assignments: [Assignment]
  /// Volumes that are to be seen at a path of their own although no variable stands for them.
  public var mounts: [VolumeReference]
  /// Places where the file may not mean what its author meant.
  public var warnings: [Warning]

  /// A file of the given assignments, of which the last of a name counts.
  private init(assignments: [Assignment], mounts: [VolumeReference], warnings: [Warning]) {
    var places: [RawString: Int] = [:]
    for (index, assignment) in assignments.enumerated() { places[assignment.name] = index }
    self.assignments = places.values.sorted().map { assignments[$0] }
    self.mounts = mounts
    self.warnings = warnings
  }

  /// One file. Of two assignments of a name the later one counts, with a warning.
  ///
  /// - Parameter warnings: those on the text, beside those on the assignments.
  init(assignmentsOfOneFile assignments: [Assignment], mounts: [VolumeReference] = [], warnings: [Warning] = []) {
    self.init(assignments: assignments, mounts: mounts, warnings: warnings + Self.warnings(on: assignments))
  }

  /// Several files as one. Of two assignments of a name the later file's counts. That causes no warning, because a
  /// later file is there to override an earlier one.
  public init(merging files: [LocalEnvFile]) {
    self.init(
      assignments: files.flatMap(\.assignments), mounts: files.flatMap(\.mounts), warnings: files.flatMap(\.warnings))
  }

  /// The warnings on the assignments of one file, in its order.
  private static func warnings(on assignments: [Assignment]) -> [Warning] {
    var warnings: [Warning] = []
    var places: [RawString: TextPosition] = [:]
    for assignment in assignments {
      if let overridden = places.updateValue(assignment.position, forKey: assignment.name) {
        warnings.append(
          .assignedAgain(name: assignment.name, position: assignment.position, overridden: overridden))
      }
      for case .variable(let reference) in assignment.segments where reference.name != assignment.name {
        guard let assigned = places[reference.name] else { continue }
        warnings.append(
          .assignmentNotSeen(name: reference.name, position: reference.position, assigned: assigned))
      }
    }
    return warnings
  }

  /// A variable and its value.
  public struct Assignment: Sendable, Hashable {
    /// The variable's name.
    public var name: RawString
    /// The parts of the value, in order; none for an empty value.
    public var segments: [Segment]
    /// The place of the name.
    public var position: TextPosition
  }

  /// A part of a value.
  public enum Segment: Sendable, Hashable {
    /// Text that stands for itself.
    case literal(RawString)
    /// A volume: the path at which the command sees its files.
    case volume(VolumeReference)
    /// A service: its local address.
    case service(ServiceReference)
    /// A variable: its value.
    case variable(VariableReference)
    /// A host outside of the cluster: its name.
    case endpoint(EndpointReference)
  }

  /// A volume of the target's container, or a part of one.
  public struct VolumeReference: Sendable, Hashable {
    /// The volume's name, perhaps with `*`.
    public var pattern: Wildcard
    /// The part of the volume that is wanted; `nil` for all of it.
    public var part: VolumePart?
    /// The absolute path at which the command is to see the files; `nil` if any path will do.
    public var mountPath: String?
    /// The place of the token.
    public var position: TextPosition
    /// The place of the path, if it has one of its own.
    public var pathPosition: TextPosition?
  }

  /// A service of the cluster.
  public struct ServiceReference: Sendable, Hashable {
    /// The service's namespace; `nil` for the target's.
    public var namespace: String?
    /// The service's name.
    public var name: String
    /// The place of the token.
    public var position: TextPosition
  }

  /// A variable that the command has without these files.
  public struct VariableReference: Sendable, Hashable {
    /// The variable's name.
    public var name: RawString
    /// The text that stands for the variable if it is missing or empty; `nil` if the variable must be there.
    public var fallback: RawString?
    /// The place of the token.
    public var position: TextPosition
  }

  /// A host outside of the cluster that is to be reached from the pod's place in the network.
  public struct EndpointReference: Sendable, Hashable {
    /// The host's name or its IPv4 address.
    public var host: String
    /// The ports that are named with it. They count if the host is the pod's own localhost.
    public var ports: [UInt16] = []
    /// The place of the token.
    public var position: TextPosition
  }
}
