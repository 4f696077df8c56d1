internal import DevrunSystem
public import Glibc

/// A user of this machine that a test runs commands as.
public struct TestUser: Sendable, Hashable, CustomStringConvertible {
  /// The user's number.
  public var id: uid_t
  /// The number of the user's group.
  public var group: gid_t
  /// The numbers of the user's other groups.
  public var otherGroups: [gid_t] = []

  /// The user of the two numbers.
  public init(id: uid_t, group: gid_t, otherGroups: [gid_t] = []) {
    self.id = id
    self.group = group
    self.otherGroups = otherGroups
  }

  /// The user of a name.
  ///
  /// - Throws: ``TestFailure`` if there is none.
  public init(named name: String) throws {
    guard let entry = getpwnam(name) else { throw TestFailure("there is no user \(name)") }
    self.init(id: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
  }

  /// Who runs the tests.
  public static let own = TestUser(id: geteuid(), group: getegid())
  /// An ordinary user without files and processes of its own. Only root can run commands as another user.
  public static let nobody = TestUser(id: 65534, group: 65534)

  /// The users that a behaviour is tried as: root tries an ordinary user's, too.
  public static var available: [TestUser] { own.id == 0 ? [own, nobody] : [own] }

  /// Whether it is another than the one who runs the tests.
  public var isOther: Bool { self != .own }

  /// The command line that runs a command as this user, with no other groups and no capabilities.
  public func command(_ arguments: [String]) -> [String] {
    guard isOther else { return arguments }
    let groups = otherGroups.map(String.init).joined(separator: ",")
    return ["setpriv", "--reuid=\(id)", "--regid=\(group)"]
      + [groups.isEmpty ? "--clear-groups" : "--groups=\(groups)", "--inh-caps=-all", "--"] + arguments
  }

  /// Gives the user a file or a folder.
  ///
  /// - Throws: the error of chown(2) or chmod(2).
  public func own(_ path: String, mode: mode_t) throws {
    if isOther { try system { chown(path, id, group) } }
    try system { chmod(path, mode) }
  }

  /// The user in words.
  public var description: String {
    switch self {
    case .own: id == 0 ? "root" : "the own user"
    case .nobody: "nobody"
    default: "user \(id)"
    }
  }
}
