public import DevrunCore
internal import Glibc

/// A file that would configure devrun is one that others could have put there.
public struct ProjectTrustError: UserFacingError, Hashable {
  /// The file's path.
  public var path: String
  /// Why the file does not count.
  public var doubt: Doubt
  /// What the user can do about it.
  public var remedy: Remedy
  /// The option that names such a file; `nil` if there is none.
  public var option: String?

  /// An error of the given parts.
  public init(path: String, doubt: Doubt, remedy: Remedy = .safeFolder, option: String? = nil) {
    self.path = path
    self.doubt = doubt
    self.remedy = remedy
    self.option = option
  }

  /// What is in doubt.
  public enum Subject: String, Sendable, Hashable {
    /// A file.
    case file
    /// A folder that holds the file, or is above it.
    case folder = "the folder"
    /// A symbolic link on the way to the file.
    case link = "the symbolic link"
  }

  /// Who may write to a file or a folder.
  public enum Writers: Sendable, Hashable {
    /// All users of the machine.
    case everyone
    /// The members of a group.
    case group(UInt32)
    /// A user that an access control list names.
    case user(UInt32)
    /// Whoever an access control list names that devrun cannot read.
    case unknown
  }

  /// What the user can do about a file that does not count.
  public enum Remedy: Sendable, Hashable {
    /// Take the right to write away from others, with the path of the file or the folder: it is the user's own.
    case mode(String)
    /// Allow all files of the folder that holds the file.
    case safeFolder
    /// Work in another folder: what others put into this one is nothing to allow.
    case otherFolder
  }

  /// Why a path does not count.
  public enum Doubt: Sendable, Hashable {
    /// It belongs to another user.
    case owner(String, UInt32, Subject)
    /// Others may write to it.
    case writable(String, Writers, Subject)
  }

  /// The error in words.
  public var message: ErrorMessage {
    ErrorMessage(
      "\(path) is not used, because others could have put it there", why: why, remedy: words(for: remedy))
  }

  private func words(for remedy: Remedy) -> String {
    let named = option.map { "name the file with \($0)" }
    switch remedy {
    case .mode(let path):
      let command = "run `chmod go-w \(quoted(path))`"
      return "look at what it says; if you trust it, \(command)\(named.map { ", or \($0)" } ?? "")"
    case .safeFolder:
      let allow = "set \(ProjectTrust.variable)=\(quoted(ConfigPath.folder(of: path)))"
      return "if you trust it, \(named.map { "\($0), or " } ?? "")\(allow)"
    case .otherFolder:
      return "run devrun in another folder\(option.map { ", or name a file of your own with \($0)" } ?? "")"
    }
  }

  private func quoted(_ path: String) -> String {
    String(decoding: ShellQuoting.quoted(Array(path.utf8)), as: UTF8.self)
  }

  /// It is devrun's configuration that is wrong.
  public var exitStatus: ExitStatus { .usage }

  private var why: String {
    switch doubt {
    case .owner(let path, let user, let subject):
      return "\(text(path, subject)) belongs to the user \(name(of: user))"
    case .writable(let path, .everyone, let subject): return "everyone may write to \(text(path, subject))"
    case .writable(let path, .group(let group), let subject):
      return "the group \(GroupEntry(group)?.name ?? "\(group)") may write to \(text(path, subject))"
    case .writable(let path, .user(let user), let subject):
      return "the user \(name(of: user)) may write to \(text(path, subject)) by its access control list (getfacl)"
    case .writable(let path, .unknown, let subject):
      return "the access control list of \(text(path, subject)), which may let others write to it, cannot be read"
    }
  }

  private func name(of user: UInt32) -> String { UserEntry(user).map { "\($0.name) (\(user))" } ?? "\(user)" }

  private func text(_ path: String, _ subject: Subject) -> String {
    subject == .file ? path == self.path ? "the file" : path : "\(subject.rawValue) \(path)"
  }
}
