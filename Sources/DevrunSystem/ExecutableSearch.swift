public import DevrunCore
internal import Glibc

/// Finds the file that a command's name stands for, as execvp(3) and the shells do.
public struct ExecutableSearch: Sendable {
  /// The folders to search, in order. An empty one is the working directory.
  public var folders: [RawString]

  /// A search in the given folders.
  public init(folders: [RawString]) { self.folders = folders }

  /// A search in the given PATH. Without one it is that of execvp(3) and the POSIX shells.
  public init(path: RawString?) {
    self.init(
      folders: (path ?? "/bin:/usr/bin").bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        .map { RawString($0) })
  }

  /// The path of the executable file that the name stands for.
  ///
  /// A name with a slash is a path already. Otherwise the first executable file of that name is taken; one that is
  /// found but cannot be executed is told only if there is no other.
  public func find(_ name: RawString) throws(ExecutableSearchError) -> RawString {
    if name.bytes.contains(UInt8(ascii: "/")) {
      if let obstacle = obstacle(to: name) { throw obstacle }
      return name
    }
    guard !name.bytes.isEmpty else { throw .notFound(name) }
    var inaccessible: ExecutableSearchError?
    for folder in folders {
      let candidate = RawString((folder.bytes.isEmpty ? Array("./".utf8) : folder.bytes + Array("/".utf8)) + name.bytes)
      switch obstacle(to: candidate) {
      case nil: return candidate
      case .notFound, .directory: continue
      case .some(let obstacle): inaccessible = inaccessible ?? obstacle
      }
    }
    throw inaccessible ?? .notFound(name)
  }

  /// What prevents the path from being executed, if anything does.
  private func obstacle(to path: RawString) -> ExecutableSearchError? {
    var information = stat()
    do throws(Errno) {
      _ = try path.withCString { (path) throws(Errno) in try system { stat(path, &information) } }
      if information.st_mode & S_IFMT == S_IFDIR { return .directory(path) }
      _ = try path.withCString { (path) throws(Errno) in try system { faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) } }
      return nil
    } catch .noEntry, .notADirectory {
      return .notFound(path)
    } catch {
      return .notExecutable(path, error)
    }
  }
}

/// Why a command cannot be executed.
public enum ExecutableSearchError: UserFacingError, Hashable {
  /// There is no such file.
  case notFound(RawString)
  /// The file is there, and the kernel says why it is not to be executed.
  case notExecutable(RawString, Errno)
  /// The path is a directory.
  case directory(RawString)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .notFound(let name) where name.bytes.contains(UInt8(ascii: "/")):
      ErrorMessage("there is no file '\(name)'")
    case .notFound(let name):
      ErrorMessage(
        "'\(name)' was not found in PATH",
        remedy: "Check its spelling, or give its path. Shell functions, aliases and built-ins need a shell around them."
      )
    case .notExecutable(let path, let error):
      ErrorMessage("'\(path)' cannot be executed", why: error.description, remedy: "Is it missing `chmod +x`?")
    case .directory(let path):
      ErrorMessage("'\(path)' cannot be executed", why: "it is a directory")
    }
  }

  /// 127 for what is not there, 126 for what cannot be executed.
  public var exitStatus: ExitStatus {
    if case .notFound = self { .notFound } else { .cannotExecute }
  }
}
