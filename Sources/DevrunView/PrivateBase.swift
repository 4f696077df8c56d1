internal import DevrunSystem
internal import Glibc

/// A folder in which a session's folder may lie: no other user can rename or replace what this user makes there.
///
/// That holds if each folder on the way from the root belongs to this user or to root, and only they may write to it, or
/// the sticky bit keeps others from what is not theirs (`/tmp`). It does not hold for root in an ordinary user's folder,
/// such as `XDG_RUNTIME_DIR` after `sudo -E`.
struct PrivateBase: Sendable, Hashable {
  /// The folder's path, free of links.
  let path: String

  /// The folder, if it is such a one for a user.
  init?(_ path: String, for user: uid_t = geteuid()) {
    guard path.hasPrefix("/"), let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    self.path = String(cString: resolved)
    var status = stat()
    // Whoever owns the root folder can do everything here. In a user namespace that is not user 0.
    guard stat("/", &status) == 0 else { return nil }
    let trusted: Set<uid_t> = [0, user, status.st_uid]
    let parts = self.path.split(separator: "/")
    for count in 0...parts.count {
      let folder = "/" + parts.prefix(count).joined(separator: "/")
      guard stat(folder, &status) == 0, Self.isSafe(status, trusted: trusted) else { return nil }
    }
    guard access(self.path, W_OK | X_OK) == 0 else { return nil }
  }

  /// Whether nobody but the trusted users can rename or replace what is in a folder and belongs to one of them.
  static func isSafe(_ status: stat, trusted: Set<uid_t>) -> Bool {
    let othersMayWrite = status.st_mode & (S_IWGRP | S_IWOTH) != 0
    return status.st_mode & S_IFMT == S_IFDIR && trusted.contains(status.st_uid)
      && (!othersMayWrite || status.st_mode & S_ISVTX != 0)
  }
}
