public import DevrunCore

/// `azds-local.env`: variables for the command, whose values may stand for volumes of the target's container, for
/// services of the cluster and for variables that are there already.
///
/// The format was never published beyond an example. Here it is read as a user of dotenv files would expect:
///
/// - `NAME=VALUE` per line, after an optional `export `. Blanks around `=` do not count. A NAME begins with a letter or
///   `_` and goes on with letters, digits, `_`, `.` and `-`. Empty lines and lines that begin with `#` are skipped.
///   Lines end with LF or CRLF; a byte order mark at the start is skipped.
/// - An unquoted VALUE goes to the end of the line, without the blanks around it. A `#` after a blank starts a comment.
///   Quotes within it and backslashes are ordinary characters.
/// - `'...'` is taken literally, tokens included. `"..."` knows `\n`, `\r`, `\t`, `\"`, `\\` and `\$`, and leaves any
///   other backslash as it is. Both may span lines, whose ends become LF. Only a comment may follow the closing quote.
/// - `${...}` is a token, unquoted and in `"..."`; it ends in its line. `$$` is a `$`; so is a `$` that neither `$` nor
///   `{` follows.
/// - The last assignment of a name wins, with a warning.
///
/// The tokens:
///
/// - `${volumes.NAME}`, `${volumes.NAME/PART}`, either with `|/path` behind: a volume, or a part of it (`VolumePart`).
/// - `${services.NAME}` and `${services.NAMESPACE.NAME}`: a service's local address.
/// - `${env.NAME}`, `${env.NAME:-TEXT}`: the value that a variable has for the command where no file says otherwise:
///   the container's, else this shell's. Where there is none, or an empty one, the TEXT as it stands; without a TEXT a
///   variable that is not there is an error. Assignments of the files do not count, not even those above.
public struct LocalEnvFile: Sendable, Hashable {
  /// The file's name.
  public static let fileName = "azds-local.env"

  /// The assignments that count, in the order of the file: one for each name.
  public var assignments: [Assignment]
  /// Volumes that are to be seen at a path of their own although no variable stands for them.
  public var mounts: [VolumeReference]
  /// What the user should know although the file can be used.
  public var warnings: [Warning]

  /// A file of the given assignments, of which the last of a name counts.
  public init(assignments: [Assignment] = [], mounts: [VolumeReference] = [], warnings: [Warning] = []) {
    var places: [RawString: Int] = [:]
    for (index, assignment) in assignments.enumerated() { places[assignment.name] = index }
    self.assignments = places.values.sorted().map { assignments[$0] }
    self.mounts = mounts
    self.warnings = warnings
  }

  /// Several files as one: of two assignments of a name the later file's counts, without a warning, since that is what
  /// files one upon another are for.
  public init(merging files: [LocalEnvFile]) {
    self.init(
      assignments: files.flatMap(\.assignments), mounts: files.flatMap(\.mounts), warnings: files.flatMap(\.warnings))
  }

  /// A variable and its value.
  public struct Assignment: Sendable, Hashable {
    /// The variable's name.
    public var name: RawString
    /// The parts of the value, in order; none for an empty value.
    public var segments: [Segment]
    /// Where the name stands.
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
    public var pattern: VolumePattern
    /// The part of the volume that is wanted; `nil` for all of it.
    public var part: VolumePart?
    /// The absolute path at which the command is to see the files; `nil` where any will do.
    public var mountPath: String?
    /// Where the token stands.
    public var position: TextPosition
  }

  /// A service of the cluster.
  public struct ServiceReference: Sendable, Hashable {
    /// The service's namespace; `nil` for the target's.
    public var namespace: String?
    /// The service's name.
    public var name: String
    /// Where the token stands.
    public var position: TextPosition
  }

  /// A variable that the command has where no file says otherwise.
  public struct VariableReference: Sendable, Hashable {
    /// The variable's name.
    public var name: RawString
    /// What stands for it where it is not there or empty; `nil` where it must be there.
    public var fallback: RawString?
    /// Where the token stands.
    public var position: TextPosition
  }

  /// A host outside of the cluster that is to be reached from the pod's place in the network.
  public struct EndpointReference: Sendable, Hashable {
    /// The host's name or its IPv4 address.
    public var host: String
    /// The TCP ports, in the order of the file; at least one.
    public var ports: [UInt16]
    /// Where the token stands.
    public var position: TextPosition
  }

  /// A file that can be used, but perhaps not as it was meant.
  public enum Warning: Sendable, Hashable, CustomStringConvertible {
    /// A name is assigned twice; the assignment at `overridden` does not count.
    case assignedAgain(name: RawString, position: TextPosition, overridden: TextPosition)
    /// `${env.NAME}` stands in a file that assigns NAME at `assigned`, which the token does not see.
    case assignmentNotSeen(name: RawString, position: TextPosition, assigned: TextPosition)

    /// The warning in one line.
    public var description: String {
      switch self {
      case .assignedAgain(let name, let position, let overridden):
        "\(position): \(name) is assigned again; its value of line \(overridden.mark?.line ?? 0) is not used"
      case .assignmentNotSeen(let name, let position, let assigned):
        "\(position): ${env.\(name)} is the value of the container or of this shell, not that of line"
          + " \(assigned.mark?.line ?? 0)"
      }
    }
  }
}
