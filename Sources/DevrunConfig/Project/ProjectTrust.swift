internal import DevrunCore
public import DevrunSystem
internal import Glibc

// Theory of operation: `devrun.yaml` can name a kubeconfig, whose credential plugin is a program, and `azds-local.env`
// can set LD_PRELOAD. So whoever can put such a file in the way of a search runs programs as the user who searches. On a
// machine of several users anyone can do that in /tmp, and a marker of a project's root beside it leads searches there.
//
// A path is trusted if nobody but this user and root can decide what it leads to. So every part of the path counts:
// - The file, each folder above it and each symbolic link on the way belong to a trusted user.
// - Nobody else may write to the file or to a folder above it. A sticky folder, such as /tmp, may be above: in it, only
//   the owner of an entry can rename it. But the folder that a search finds a file in may not be sticky, because anyone
//   can add entries there.
// - An access control list may let others write whom the mode does not show. It counts as well.
//
// In a user namespace that root is not in, the folders of root seem to belong to the overflow user, as those of all other
// users outside do. Such a folder may be above, unless this user may write to it, but neither a file nor a link nor the
// folder that a search finds a file in may belong to that user.

/// Decides whose files may configure devrun.
///
/// Trusted are this user, root and, for root, the user who called sudo(8), as with Git's `safe.directory`. Unlike Git,
/// devrun also looks at who may write.
public struct ProjectTrust: Sendable {
  /// The variable that names further folders, separated by colons, in which and below which all files are trusted.
  public static let variable: String = "DEVRUN_SAFE_FOLDERS"

  /// The users whose files count.
  private let users: Set<uid_t>
  /// The groups that have no members but these users.
  private let groups: Set<gid_t>
  /// Folders in which and below which everything counts.
  private let safeFolders: [String]
  /// The user who may be root, in a user namespace that root is not in.
  private let substituteOfRoot: uid_t?

  /// The trust of this process's user.
  ///
  /// - Parameter environment: this process's variables: the one of `variable`, and those of sudo(8).
  public init(environment: EnvironmentVariables) {
    let own = geteuid()
    // In a namespace without this user, the files of all other users seem to be this user's.
    var users: Set<uid_t> = UserMap.own.has(own) ? [0, own] : [0]
    if own == 0, let caller = environment["SUDO_UID"].flatMap({ uid_t($0.description) }) { users.insert(caller) }
    let folders = environment[RawString(Self.variable)]?.description.split(separator: ":").map(String.init) ?? []
    var root = stat()
    let substitute = stat("/", &root) == 0 ? UserMap.own.substituteOfRoot(ownerOfRoot: root.st_uid) : nil
    self.init(
      users: users, groups: Self.privateGroups(of: users, own: own), safeFolders: folders,
      substituteOfRoot: substitute)
  }

  /// A trust in the given users, groups and folders.
  init(users: Set<uid_t>, groups: Set<gid_t>, safeFolders: [String] = [], substituteOfRoot: uid_t? = nil) {
    self.users = users
    self.groups = groups
    self.substituteOfRoot = substituteOfRoot
    self.safeFolders = safeFolders.filter { $0.hasPrefix("/") }.flatMap { folder in
      let written = Self.names(of: folder).map { "/\($0)" }.joined()
      return [written]
        + (realpath(folder, nil).map { resolved in
          defer { free(resolved) }
          return [String(cString: resolved)]
        } ?? [])
    }
  }

  /// Where a path may lead.
  enum Place: Sendable {
    /// Any folder may hold the file: the user, or a trusted file, names its path.
    case named
    /// A search found the path, so nobody else may add entries to the folder that holds it.
    case found
  }

  /// Refuses a file of others.
  ///
  /// - Parameters:
  ///   - path: the absolute path that a trusted file names.
  ///   - option: the option that names such a file; it takes any.
  /// - Throws: `ProjectTrustError`
  public func check(_ path: String, option: String) throws(ProjectTrustError) {
    if let doubt = doubt(about: path, .named) { throw error(about: path, doubt, option: option) }
  }

  /// Why a file must not count; `nil` if it may. A missing file may, unless somebody else could make it.
  ///
  /// - Parameter path: an absolute path.
  func doubt(about path: String, _ place: Place) -> ProjectTrustError.Doubt? {
    if isSafe(path) { return nil }
    var folder = Folder(path: "/", status: stat())
    guard stat("/", &folder.status) == 0 else { return nil }
    var rest = Array(Self.names(of: path).reversed())
    var links = 0
    while let name = rest.popLast() {
      if name == ".." {
        // Everything above was looked at on the way here.
        folder.path = ConfigPath.folder(of: folder.path)
        guard stat(folder.path, &folder.status) == 0 else { return nil }
        continue
      }
      let next = ConfigPath.resolve(name, in: folder.path)
      var status = stat()
      let isThere = lstat(next, &status) == 0
      let holdsTheFile = rest.isEmpty && (place == .found || !isThere)
      if let doubt = doubt(about: folder, mayBeSticky: !holdsTheFile) { return doubt }
      guard isThere else { return nil }
      switch status.st_mode & S_IFMT {
      case S_IFLNK:
        guard users.contains(status.st_uid) else { return .owner(next, status.st_uid, .link) }
        links += 1
        guard links <= 40, let target = Self.target(of: next) else { return nil }
        if target.hasPrefix("/") {
          folder.path = "/"
          guard stat("/", &folder.status) == 0 else { return nil }
        }
        rest += Self.names(of: target).reversed()
      case S_IFDIR: folder = Folder(path: next, status: status)
      default:
        return users.contains(status.st_uid)
          ? writers(of: next, status).map { .writable(next, $0, .file) } : .owner(next, status.st_uid, .file)
      }
    }
    return doubt(about: folder, mayBeSticky: false)
  }

  /// Why the entries of a folder must not count; `nil` if they may: nobody else can add one.
  ///
  /// - Parameter path: the folder's absolute path.
  func doubt(aboutFolder path: String) -> ProjectTrustError.Doubt? { doubt(about: path, .named) }

  /// Why an entry of a folder must not count, whatever it holds; `nil` if it may.
  func doubt(aboutEntry name: String, in folder: String) -> ProjectTrustError.Doubt? {
    let path = ConfigPath.resolve(name, in: folder)
    if isSafe(path) { return nil }
    if let doubt = doubt(aboutFolder: folder) { return doubt }
    var status = stat()
    guard lstat(path, &status) == 0, !users.contains(status.st_uid) else { return nil }
    return .owner(path, status.st_uid, .file)
  }

  private struct Folder {
    var path: String
    var status: stat
  }

  private func doubt(about folder: Folder, mayBeSticky: Bool) -> ProjectTrustError.Doubt? {
    let isSticky = folder.status.st_mode & S_ISVTX != 0
    guard users.contains(folder.status.st_uid) || (mayBeSticky && mayBeRoots(folder, isSticky: isSticky)) else {
      return .owner(folder.path, folder.status.st_uid, .folder)
    }
    if mayBeSticky, isSticky { return nil }
    return writers(of: folder.path, folder.status).map { .writable(folder.path, $0, .folder) }
  }

  /// Whether a folder that seems to belong to the overflow user may be one of root's. This user may not write to those,
  /// but for the sticky ones.
  private func mayBeRoots(_ folder: Folder, isSticky: Bool) -> Bool {
    folder.status.st_uid == substituteOfRoot && (isSticky || access(folder.path, W_OK) != 0)
  }

  /// Who else may write.
  private func writers(of path: String, _ status: stat) -> ProjectTrustError.Writers? {
    // A pipe or a terminal that a path such as /dev/fd/3 names.
    if ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) { return nil }
    if status.st_mode & S_IWOTH != 0 { return .everyone }
    if status.st_mode & S_IWGRP == 0 { return nil }
    let group: ProjectTrustError.Writers? = groups.contains(status.st_gid) ? nil : .group(status.st_gid)
    do throws(Errno) {
      guard let list = try AccessList(of: RawString(path)) else { return group }
      return list.writers.lazy.compactMap { writer in
        switch writer {
        case .owner, .others: nil
        case .owningGroup: group
        case .user(let user): users.contains(user) ? nil : .user(user)
        case .group(let number): groups.contains(number) ? nil : .group(number)
        }
      }.first
    } catch {
      // Nobody can see who else may write.
      return group ?? .unknown
    }
  }

  /// The error for a file that does not count, with what to do about it.
  func error(about path: String, _ doubt: ProjectTrustError.Doubt, option: String?) -> ProjectTrustError {
    var remedy = ProjectTrustError.Remedy.safeFolder
    var status = stat()
    let own = geteuid()
    if case .writable(let place, let writers, _) = doubt {
      let isOwn = stat(place, &status) == 0 && (own == 0 || status.st_uid == own) && users.contains(status.st_uid)
      if isOwn, status.st_mode & S_ISVTX == 0 {
        remedy = .mode(place)
      } else if writers == .everyone {
        remedy = .otherFolder
      }
    }
    // In a folder that everyone may write to, a file of anyone would count.
    if remedy == .safeFolder, stat(ConfigPath.folder(of: path), &status) == 0, status.st_mode & (S_ISVTX | S_IWOTH) != 0
    {
      remedy = .otherFolder
    }
    return ProjectTrustError(path: path, doubt: doubt, remedy: remedy, option: option)
  }

  /// Whether a path is in one of the folders in which everything counts.
  func isSafe(_ path: String) -> Bool {
    !Self.names(of: path).contains("..")
      && safeFolders.contains { $0.isEmpty || $0 == "/" || path == $0 || path.hasPrefix($0 + "/") }
  }

  private static func names(of path: String) -> [String] {
    path.split(separator: "/").filter { $0 != "." }.map(String.init)
  }

  private static func target(of link: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &buffer, buffer.count)
    return count > 0 && count < buffer.count
      ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
  }
}

extension ProjectTrust {
  /// The groups in which nobody is but the given users, so that it does no harm if a group may write. Many systems give
  /// each user a group of the user's own name, and let the group write to all that the user makes.
  private static func privateGroups(of users: Set<uid_t>, own: uid_t) -> Set<gid_t> {
    let entries = users.compactMap(UserEntry.init)
    let names = Set(entries.map(\.name))
    var groups = Set(
      (entries.map { ($0.group, $0.name) } + [(0, "root")]).filter { group, owner in
        guard let entry = GroupEntry(group) else { return group == 0 }
        return entry.members.allSatisfy(names.contains) && (group == 0 || entry.name == owner)
      }.map(\.0))
    // In a container, users and groups often have no entry.
    if UserEntry(own) == nil, GroupEntry(getegid()) == nil { groups.insert(getegid()) }
    return groups
  }
}
