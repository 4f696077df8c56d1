/// What a person is told of a failure: what happened, why, and what to do about it.
public struct ErrorMessage: Sendable, Hashable {
  /// What happened, in one line without a final stop.
  public var what: String
  /// The cause in the words of whoever knows it (the API server, the kernel), if there is one.
  public var why: String?
  /// What the reader can do next, if there is something.
  public var remedy: String?

  /// Makes a message of its three parts.
  public init(_ what: String, why: String? = nil, remedy: String? = nil) {
    self.what = what
    self.why = why
    self.remedy = remedy
  }
}

extension ErrorMessage: CustomStringConvertible {
  /// The parts on lines of their own.
  public var description: String { [what, why, remedy].compactMap { $0 }.joined(separator: "\n") }
}

/// A failure that can be told to the person who ran devrun.
///
/// Every error that leaves one of devrun's modules conforms. It is printed in one place.
public protocol UserFacingError: Error, Sendable, CustomStringConvertible {
  /// The message for the user.
  var message: ErrorMessage { get }
  /// What devrun exits with when this error ends it.
  var exitStatus: ExitStatus { get }
}

extension UserFacingError {
  /// devrun's own failure, unless the error knows better.
  public var exitStatus: ExitStatus { .devrunFailed }

  /// The message's parts on lines of their own.
  public var description: String { message.description }
}

/// The statuses that devrun itself exits with, as `env`, `timeout` and the shells use them.
public struct ExitStatus: Sendable, Hashable, RawRepresentable {
  /// The number that `exit` takes.
  public var rawValue: Int32

  /// A status of the given number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The command line is wrong.
  public static let usage = ExitStatus(rawValue: 125)
  /// devrun failed before or beside the command.
  public static let devrunFailed = ExitStatus(rawValue: 125)
  /// The command was found and cannot be executed.
  public static let cannotExecute = ExitStatus(rawValue: 126)
  /// The command was not found.
  public static let notFound = ExitStatus(rawValue: 127)
}
