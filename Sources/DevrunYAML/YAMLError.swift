public import DevrunCore

/// Why a YAML file cannot be used, with the place of the mistake.
public struct YAMLError: UserFacingError, Hashable {
  /// The file's name, as the user wrote or found it.
  public var source: String
  /// The place in the file; `nil` if the error has none.
  public var mark: TextMark?
  /// What is wrong.
  public var reason: Reason

  /// An error of the given parts.
  public init(source: String, mark: TextMark?, reason: Reason) {
    self.source = source
    self.mark = mark
    self.reason = reason
  }

  /// The ways in which a YAML file can be unusable.
  public enum Reason: Sendable, Hashable {
    /// The text is not YAML. The words are the parser's.
    case syntax(String)
    /// The file is larger than the limit, in bytes.
    case tooLarge(limit: Int)
    /// Lists and mappings are nested deeper than the limit.
    case tooDeep(limit: Int)
    /// Aliases stand for more values than the limit.
    case tooManyAliases(limit: Int)
    /// A second document begins.
    case severalDocuments
    /// An alias has no anchor before it.
    case unknownAnchor(String, nearest: String?)
    /// An alias stands within the value that its anchor names.
    case recursiveAlias(String)
    /// A key is a list or a mapping.
    case keyIsNoScalar
    /// A key occurs twice in a mapping; `first` is its first place.
    case duplicateKey(String, first: TextMark)
    /// The value of a merge key (`<<`) is neither a mapping nor a list of mappings.
    case invalidMerge
    /// A key is none of those that the file may have.
    case unknownKey(String, allowed: [String], nearest: String?)
    /// A value has the wrong type, or a required one is absent; `path` is like `clusters[0].cluster.server`.
    case unexpected(path: String, problem: String, remedy: String?)
  }

  /// The place as `file:line:column`, or the file alone.
  public var place: String { TextPosition(source: source, mark: mark).description }

  /// The error in words.
  public var message: ErrorMessage {
    switch reason {
    case .syntax(let problem):
      ErrorMessage("\(place): not valid YAML", why: problem)
    case .tooLarge(let limit):
      ErrorMessage("\(place): the file is larger than \(limit >> 20) MiB")
    case .tooDeep(let limit):
      ErrorMessage("\(place): more than \(limit) levels of nesting")
    case .tooManyAliases(let limit):
      ErrorMessage("\(place): the aliases (*name) of this file stand for more than \(limit) values")
    case .severalDocuments:
      ErrorMessage(
        "\(place): a second YAML document begins here, and only one is allowed",
        remedy: "remove the line '---' and what follows it, or put it in a file of its own")
    case .unknownAnchor(let name, let nearest):
      ErrorMessage(
        "\(place): the alias *\(name) has no anchor &\(name) before it", remedy: nearest.map { "did you mean *\($0)?" })
    case .recursiveAlias(let name):
      ErrorMessage("\(place): the alias *\(name) stands within the value that it refers to")
    case .keyIsNoScalar:
      ErrorMessage("\(place): a key must be a text, not a list or a mapping")
    case .duplicateKey(let key, let first):
      ErrorMessage("\(place): the key '\(key)' is there already, in line \(first.line)")
    case .invalidMerge:
      ErrorMessage("\(place): the value of '<<' must be a mapping or a list of mappings")
    case .unknownKey(let key, let allowed, let nearest):
      ErrorMessage(
        "\(place): there is no option '\(key)'", why: "the options are \(allowed.joined(separator: ", "))",
        remedy: nearest.map { "did you mean '\($0)'?" })
    case .unexpected(let path, let problem, let remedy):
      ErrorMessage("\(place): \(path.isEmpty ? "the file" : path) \(problem)", remedy: remedy)
    }
  }
}
