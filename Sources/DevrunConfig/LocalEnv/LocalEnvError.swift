public import DevrunCore

/// What is wrong with `azds-local.env`: all of it at once.
public struct LocalEnvError: UserFacingError, Hashable {
  /// The file's name.
  public var source: String
  /// The mistakes, in the order of the file. At least one.
  public var problems: [Problem]

  /// An error of the given mistakes.
  public init(source: String, problems: [Problem]) {
    self.source = source
    self.problems = problems
  }

  /// A mistake and its place.
  public struct Problem: Error, Hashable {
    /// Where it is.
    public var position: LocalEnvFile.Position
    /// What it is.
    public var reason: Reason

    /// A mistake at a place.
    public init(position: LocalEnvFile.Position, reason: Reason) {
      self.position = position
      self.reason = reason
    }
  }

  /// The mistakes that there are.
  public enum Reason: Error, Hashable {
    /// A line is no assignment: there is no `=` after the name.
    case missingEquals(name: String)
    /// A line does not begin with a name, or the name has a character that it cannot have.
    case invalidName(String)
    /// A quote is never closed.
    case unterminatedQuote(String)
    /// Something other than a comment follows the closing quote of a value that began in line `openedInLine`.
    case textAfterQuote(String, openedInLine: Int)
    /// A NUL, which no variable can hold.
    case nul
    /// `${` without `}` in the same line.
    case unterminatedToken
    /// `${...}` is none of the known forms; `suggestion` is the known form that is nearest.
    case unknownToken(String, suggestion: String?)
    /// What stands where a volume's name is expected is none.
    case invalidVolumeName(String)
    /// What stands behind `|` is no absolute path.
    case invalidMountPath(String)
    /// What stands where a service's name is expected is none.
    case invalidServiceName(String)
    /// The container has no such volume.
    case unknownVolume(String, available: [String], nearest: String?)
    /// Two volumes are to be seen at the same path.
    case mountPathTaken(String, volume: String, other: String)
  }

  /// What the person is told: one mistake as any error, several as a list.
  public var message: ErrorMessage {
    if problems.count == 1, let problem = problems.first {
      var message = problem.reason.message
      message.what = "\(source):\(problem.position.line):\(problem.position.column): \(message.what)"
      return message
    }
    let lines = problems.map { problem in
      let message = problem.reason.message
      let rest = [message.why, message.remedy].compactMap { $0 }.map { "; \($0)" }.joined()
      return "\(source):\(problem.position.line):\(problem.position.column): \(message.what)\(rest)"
    }
    return ErrorMessage("\(source) has \(problems.count) mistakes", why: lines.joined(separator: "\n"))
  }

  /// A mistake in what the user wrote.
  public var exitStatus: ExitStatus { .usage }
}

extension LocalEnvError.Reason {
  /// The mistake in words, without its place.
  fileprivate var message: ErrorMessage {
    switch self {
    case .missingEquals(let name):
      ErrorMessage("'=' is missing after '\(name)'", remedy: "write \(name)=VALUE, or # in front of a comment")
    case .invalidName(let text):
      ErrorMessage(
        "'\(text)' is no name of a variable",
        why: "a name begins with a letter or '_' and goes on with letters, digits, '_', '.' and '-'")
    case .unterminatedQuote(let quote):
      ErrorMessage("the quote \(quote) is never closed")
    case .textAfterQuote(let text, let line):
      ErrorMessage(
        "'\(text)' follows the closing quote", why: "the value begins in line \(line)",
        remedy: "close each quote, put the whole value in quotes, and a # before a comment")
    case .nul:
      ErrorMessage("the file holds a NUL, which no variable can", why: "it must be a text in UTF-8")
    case .unterminatedToken:
      ErrorMessage("'${' without '}' in the same line", remedy: "write $${ where you mean the characters ${")
    case .unknownToken(let text, let suggestion):
      ErrorMessage(
        "'${\(text)}' is not known",
        why: "known are ${volumes.NAME}, ${volumes.NAME|/path}, ${services.NAME} and ${services.NAMESPACE.NAME}",
        remedy: suggestion.map { "did you mean ${\($0)}?" } ?? "write $${ where you mean the characters ${")
    case .invalidVolumeName(let name):
      ErrorMessage(
        "'\(name)' is no name of a volume", why: "names have lower-case letters, digits and '-', here also '*'",
        remedy: name.contains("/") ? "write the part of the volume behind the token: ${volumes.NAME}/part" : nil)
    case .invalidMountPath(let path):
      ErrorMessage(
        "'\(path)' is no path at which a volume can be seen",
        why: "it must be absolute, without '.', '..' and not / itself")
    case .invalidServiceName(let name):
      ErrorMessage(
        "'\(name)' names no service", why: "write NAME or NAMESPACE.NAME, of lower-case letters, digits and '-'")
    case .unknownVolume(let name, let available, let nearest):
      ErrorMessage(
        "the container has no volume '\(name)'",
        why: available.isEmpty ? "it has none at all" : "it has \(available.joined(separator: ", "))",
        remedy: nearest.map { "did you mean '\($0)'?" })
    case .mountPathTaken(let path, let volume, let other):
      ErrorMessage("'\(volume)' cannot be seen at \(path), where '\(other)' is")
    }
  }
}
