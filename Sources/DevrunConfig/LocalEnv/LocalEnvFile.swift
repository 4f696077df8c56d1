public import DevrunCore

/// `azds-local.env`: variables for the command, whose values may stand for volumes of the target's container and for
/// services of the cluster.
///
/// The format was never published beyond an example. Here it is read as a user of dotenv files would expect:
///
/// - `NAME=VALUE` per line, after an optional `export `. Blanks around `=` do not count. A NAME begins with a letter or
///   `_` and goes on with letters, digits, `_`, `.` and `-`. Empty lines and lines that begin with `#` are skipped.
///   Lines end with LF or CRLF; a byte order mark at the start is skipped.
/// - An unquoted VALUE goes to the end of the line, without the blanks around it. A `#` after a blank starts a comment.
///   Quotes within it and backslashes are ordinary characters.
/// - `'...'` is taken literally, tokens included. `"..."` knows `\n`, `\t`, `\"`, `\\` and `\$`, and leaves any other
///   backslash as it is. Both may span lines, whose ends become LF. Only a comment may follow the closing quote.
/// - `${volumes.NAME}`, `${volumes.NAME|/path}`, `${services.NAME}` and `${services.NAMESPACE.NAME}` are tokens,
///   unquoted and in `"..."`. `$$` is a `$`; so is a `$` that neither `$` nor `{` follows.
/// - The last assignment of a name wins, with a warning.
public struct LocalEnvFile: Sendable, Hashable {
  /// The file's name.
  public static let fileName = "azds-local.env"

  /// A place in the file. Lines and columns count from 1; a column counts characters, not bytes.
  public typealias Position = YAMLNode.Mark

  /// The file's name in messages.
  public var source: String
  /// The assignments that count, in the order of the file: one for each name.
  public var assignments: [Assignment]
  /// What the user should know although the file can be used.
  public var warnings: [Warning]

  /// A variable and its value.
  public struct Assignment: Sendable, Hashable {
    /// The variable's name.
    public var name: RawString
    /// The parts of the value, in order; none for an empty value.
    public var segments: [Segment]
    /// Where the name stands.
    public var position: Position
  }

  /// A part of a value.
  public enum Segment: Sendable, Hashable {
    /// Text that stands for itself.
    case literal(RawString)
    /// A volume: the path at which the command sees its files.
    case volume(VolumeReference)
    /// A service: its local address.
    case service(ServiceReference)
  }

  /// `${volumes.PATTERN}` or `${volumes.PATTERN|/path}`.
  public struct VolumeReference: Sendable, Hashable {
    /// The volume's name, perhaps with `*`.
    public var pattern: VolumePattern
    /// The absolute path at which the command is to see the files; `nil` where any will do.
    public var mountPath: String?
    /// Where the token stands.
    public var position: Position
  }

  /// `${services.NAME}` or `${services.NAMESPACE.NAME}`.
  public struct ServiceReference: Sendable, Hashable {
    /// The service's namespace; `nil` for the target's.
    public var namespace: String?
    /// The service's name.
    public var name: String
    /// Where the token stands.
    public var position: Position
  }

  /// A file that can be used, but perhaps not as it was meant.
  public enum Warning: Sendable, Hashable, CustomStringConvertible {
    /// A name is assigned twice; the assignment at `overridden` does not count.
    case assignedAgain(name: RawString, source: String, position: Position, overridden: Position)

    /// The warning in one line.
    public var description: String {
      switch self {
      case .assignedAgain(let name, let source, let position, let overridden):
        "\(source):\(position.line):\(position.column): \(name) is assigned again; its value of line"
          + " \(overridden.line) is not used"
      }
    }
  }

  /// The path of the nearest `azds-local.env`, from a folder (an absolute path) upwards to the project's root; `nil` if
  /// there is none.
  public static func find(from directory: String) -> String? { ProjectFolder.find(fileName, from: directory) }

  /// Reads the file at a path.
  ///
  /// - Throws: `ConfigFileError` or `LocalEnvError`.
  public static func load(_ path: String) throws -> LocalEnvFile {
    try parse(File.readConfiguration(path), source: path)
  }

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - bytes: the text; values need not be UTF-8.
  ///   - source: the file's name, for messages.
  /// - Throws: `LocalEnvError` with all mistakes of the text.
  public static func parse(_ bytes: [UInt8], source: String) throws(LocalEnvError) -> LocalEnvFile {
    var parser = LocalEnvParser(bytes)
    parser.parse()
    guard parser.problems.isEmpty else { throw LocalEnvError(source: source, problems: parser.problems) }
    var places: [RawString: Int] = [:]
    var warnings: [Warning] = []
    for (index, assignment) in parser.assignments.enumerated() {
      guard let earlier = places.updateValue(index, forKey: assignment.name) else { continue }
      warnings.append(
        .assignedAgain(
          name: assignment.name, source: source, position: assignment.position,
          overridden: parser.assignments[earlier].position))
    }
    let counting = places.values.sorted().map { parser.assignments[$0] }
    return LocalEnvFile(source: source, assignments: counting, warnings: warnings)
  }
}
