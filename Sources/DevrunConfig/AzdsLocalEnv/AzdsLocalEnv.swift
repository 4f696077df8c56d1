internal import DevrunCore

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
/// - `'...'` is taken literally, tokens included. `"..."` has the escapes `\n`, `\r`, `\t`, `\"`, `\\` and `\$`, and
///   leaves any other backslash as it is. Both may span lines, whose ends become LF. Only a comment may follow the
///   closing quote.
/// - `${...}` is a token, unquoted and in `"..."`; it ends in its line. `$$` is a `$`; so is a `$` that neither `$` nor
///   `{` follows.
/// - The last assignment of a name counts, and each earlier one causes a warning.
///
/// The tokens:
///
/// - `${volumes.NAME}`, `${volumes.NAME/PART}`, either with `|/path` behind: a volume, or a part of it (`VolumePart`).
/// - `${services.NAME}` and `${services.NAMESPACE.NAME}`: a service's local address.
/// - `${env.NAME}`, `${env.NAME:-TEXT}`: the value that a variable would have for the command without these files: the
///   container's, else this shell's. If it is missing or empty, the TEXT stands for it; a missing variable without a
///   TEXT is an error. Assignments of the files do not count, not even those above.
public enum AzdsLocalEnv {
  /// The file's name.
  public static let fileName = "azds-local.env"

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - bytes: the text; values need not be UTF-8.
  ///   - source: the file's name, for messages.
  /// - Throws: `LocalEnvError` with all mistakes of the text.
  public static func parse(_ bytes: [UInt8], source: String) throws(LocalEnvError) -> LocalEnvFile {
    let (assignments, problems) = LocalEnvParser.parse(bytes, source: source)
    guard problems.isEmpty else { throw LocalEnvError(problems) }
    return LocalEnvFile(assignmentsOfOneFile: assignments, warnings: assignments.compactMap(foreignToken))
  }

  /// The warning on a value with a token of `KubernetesLocalProcessConfig.yaml`.
  private static func foreignToken(in assignment: LocalEnvFile.Assignment) -> LocalEnvFile.Warning? {
    for case .literal(let text) in assignment.segments {
      guard let token = ForeignToken.first(ofProcessConfigIn: text.description) else { continue }
      return .foreignToken(token.text, position: assignment.position, instead: token.instead)
    }
    return nil
  }
}
