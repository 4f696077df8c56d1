public import DevrunCore
public import DevrunYAML

/// What is wrong with the files that adjust the command's environment (`azds-local.env`,
/// `KubernetesLocalProcessConfig.yaml`): all of it at once.
public struct LocalEnvError: UserFacingError, Hashable {
  /// The mistakes, in the order of the files. At least one.
  public var problems: [Problem]

  /// An error of the given mistakes.
  public init(_ problems: [Problem]) {
    self.problems = problems
  }

  /// A mistake and its place.
  public struct Problem: Error, Hashable {
    /// The place of the mistake.
    public var position: TextPosition
    /// What is wrong.
    public var reason: Reason

    /// A mistake at a place.
    public init(position: TextPosition, reason: Reason) {
      self.position = position
      self.reason = reason
    }

    /// The mistake and its place in words.
    var message: ErrorMessage {
      if case .yaml(let reason) = reason {
        return YAMLError(source: position.source, mark: position.mark, reason: reason).message
      }
      var message = reason.message
      message.what = "\(position): \(message.what)"
      return message
    }
  }

  /// The mistakes that there are.
  public enum Reason: Error, Hashable {
    /// The file cannot be read; the cause in the C library's words.
    case unreadable(String)
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
    /// What stands behind a volume's name is no part of a volume.
    case invalidVolumePart(String)
    /// What stands where the path is expected at which a volume is to be seen is no absolute path.
    case invalidMountPath(String)
    /// A path of this machine is one of Windows.
    case windowsPath(String)
    /// What stands where a service's name is expected is none.
    case invalidServiceName(String)
    /// What stands where a variable's name is expected is none.
    case invalidVariable(String)
    /// The file is no YAML, or a value in it is not of the type that it must be.
    case yaml(YAMLError.Reason)
    /// Something that is particular to `KubernetesLocalProcessConfig.yaml`.
    case processConfig(ProcessConfigMistake)
    /// Neither the container nor this shell has such a variable.
    case unknownVariable(String, nearest: String?)
    /// The container has no such volume.
    case unknownVolume(String, available: [String], nearest: String?)
    /// Two volumes or parts of volumes are to be seen at the same path.
    case mountPathTaken(String, volume: String, other: String)
  }

  /// The error in words: one mistake as any error, several as a list.
  public var message: ErrorMessage {
    if problems.count == 1, let problem = problems.first { return problem.message }
    var sources: [String] = []
    for problem in problems where !sources.contains(problem.position.source) { sources.append(problem.position.source) }
    let lines = problems.map { problem in
      let message = problem.message
      return [message.what, message.why, message.remedy].compactMap { $0 }.joined(separator: "; ")
    }
    return ErrorMessage(
      "\(sources.joined(separator: " and ")) \(sources.count == 1 ? "has" : "have") \(problems.count) mistakes",
      why: lines.joined(separator: "\n"))
  }

  /// A mistake in what the user wrote.
  public var exitStatus: ExitStatus { .usage }
}

extension LocalEnvError.Reason {
  private static let forms =
    "${volumes.NAME}, ${volumes.NAME/PART}, either with |/path, ${services.NAME}, ${services.NAMESPACE.NAME}, "
    + "${env.NAME} and ${env.NAME:-text}"

  /// The mistake in words, without its place.
  fileprivate var message: ErrorMessage {
    switch self {
    case .unreadable(let reason):
      ErrorMessage("cannot be read: \(reason)")
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
        why: "known are \(Self.forms)",
        remedy: suggestion.map { "did you mean ${\($0)}?" } ?? "write $${ where you mean the characters ${")
    case .invalidVolumeName(let name):
      ErrorMessage(
        "'\(name)' is no name of a volume", why: "names have lower-case letters, digits and '-', here also '*'")
    case .invalidVolumePart(let part):
      ErrorMessage("'\(part)' is no part of a volume", why: "it must be without '.' and '..'")
    case .invalidMountPath(let path):
      ErrorMessage(
        "'\(path)' is no path at which a volume can be seen",
        why: "it must be absolute, without '.', '..' and not / itself")
    case .windowsPath(let path):
      ErrorMessage(
        "'\(path)' is a path of Windows", why: "devrun runs on Linux", remedy: "write an absolute path: /...")
    case .invalidServiceName(let name):
      ErrorMessage(
        "'\(name)' names no service", why: "write NAME or NAMESPACE.NAME, of lower-case letters, digits and '-'")
    case .invalidVariable(let name):
      ErrorMessage(
        "'\(name)' is no name of a variable", why: "known are ${env.NAME} and ${env.NAME:-text where there is none}")
    case .yaml(let reason):
      YAMLError(source: "", mark: nil, reason: reason).message
    case .processConfig(let mistake):
      mistake.message
    case .unknownVariable(let name, let nearest):
      ErrorMessage(
        "neither the container nor this shell has a variable '\(name)'",
        remedy: nearest.map { "did you mean '\($0)'?" } ?? "write ${env.\(name):-} for an empty text in its place")
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
