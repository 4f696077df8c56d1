public import DevrunCore
internal import Glibc

/// A file that would configure devrun is one that others could have put there.
public struct ProjectTrustError: UserFacingError, Hashable {
  /// The file's path.
  public var path: String
  /// Why the file does not count.
  public var doubt: Doubt
  /// The option that names such a file; `nil` if there is none.
  public var option: String?

  /// An error of the given parts.
  public init(path: String, doubt: Doubt, option: String? = nil) {
    self.path = path
    self.doubt = doubt
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
    let remedy = [option.map { "name the file with \($0)" }, "set \(ProjectTrust.variable)=\(folder)"]
      .compactMap { $0 }.joined(separator: ", or ")
    return ErrorMessage(
      "\(path) is not used, because others could have put it there", why: why,
      remedy: "if you trust it, \(remedy)")
  }

  /// It is devrun's configuration that is wrong.
  public var exitStatus: ExitStatus { .usage }

  private var folder: String { ConfigPath.folder(of: path) }

  private var why: String {
    switch doubt {
    case .owner(let path, let user, let subject):
      let name = UserEntry(user).map { "\($0.name) (\(user))" } ?? "\(user)"
      return "\(text(path, subject)) belongs to the user \(name)"
    case .writable(let path, .everyone, let subject): return "everyone may write to \(text(path, subject))"
    case .writable(let path, .group(let group), let subject):
      return "the group \(GroupEntry(group)?.name ?? "\(group)") may write to \(text(path, subject))"
    }
  }

  private func text(_ path: String, _ subject: Subject) -> String {
    subject == .file ? path == self.path ? "the file" : path : "\(subject.rawValue) \(path)"
  }
}
