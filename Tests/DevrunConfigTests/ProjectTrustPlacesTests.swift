import DevrunCore
import DevrunSystem
import Glibc
import TestSupport
import Testing

@testable import DevrunConfig

/// Access control lists, user namespaces, and what the errors propose.
@Suite("Places of a project's files")
struct ProjectTrustPlacesTests {
  /// setxattr(2), which Swift's Glibc module does not have.
  private typealias SetAttribute =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeRawPointer, Int, Int32
    ) -> Int32

  private let folder: TemporaryFolder
  private static let stranger: UInt32 = 4711

  init() throws { folder = try TemporaryFolder() }

  private func trust(substituteOfRoot: uid_t? = nil) -> ProjectTrust {
    ProjectTrust(users: [0, geteuid()], groups: [getegid()], substituteOfRoot: substituteOfRoot)
  }

  /// Gives a path an access control list: entries of a tag, permissions and a user or group.
  private func setList(_ entries: [(tag: UInt16, permissions: UInt16, id: UInt32)], of path: String) throws {
    let symbol = try #require(dlsym(dlopen(nil, RTLD_NOW), "setxattr"))
    let setAttribute = unsafeBitCast(symbol, to: SetAttribute.self)
    var bytes: [UInt8] = [2, 0, 0, 0]
    for entry in entries {
      for number in [entry.tag, entry.permissions] { bytes += [UInt8(number & 0xff), UInt8(number >> 8)] }
      for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: entry.id >> shift)) }
    }
    try system { setAttribute(path, "system.posix_acl_access", bytes, bytes.count, 0) }
  }

  private static let none = UInt32.max

  @Test(
    arguments: [
      // A user, a group, and the mask above them.
      ([(0x02, 6, stranger)], 6, .user(stranger)), ([(0x08, 6, stranger)], 6, .group(stranger)),
      ([(0x02, 4, stranger), (0x02, 6, stranger + 1)], 6, .user(stranger + 1)), ([(0x02, 4, stranger)], 6, nil),
      ([(0x02, 6, stranger)], 4, nil), ([(0x02, 6, geteuid())], 6, nil), ([(0x08, 6, getegid())], 6, nil),
    ] as [([(UInt16, UInt16, UInt32)], UInt16, ProjectTrustError.Writers?)])
  func `An access control list that lets others write makes a file or a folder one of others`(
    named: [(UInt16, UInt16, UInt32)], mask: UInt16, writers: ProjectTrustError.Writers?
  ) throws {
    let file = try folder.write("project/devrun.yaml", "", mode: 0o664)
    let entries =
      [(0x01, 7, Self.none)] + named.filter { $0.0 == 0x02 } + [(0x04, 6, Self.none)] + named.filter { $0.0 == 0x08 }
      + [(0x10, mask, Self.none), (0x20, 4, Self.none)]
    try setList(entries, of: file)
    #expect(trust().doubt(about: file, .found) == writers.map { .writable(file, $0, .file) })
    let project = folder.path("project")
    try system { chmod(file, 0o644) }
    #expect(trust().doubt(about: file, .found) == nil)
    try setList(entries.map { ($0.0, $0.1 | 1, $0.2) }, of: project)
    #expect(trust().doubt(about: file, .found) == writers.map { .writable(project, $0, .folder) })
  }

  @Test(
    arguments: [
      ("0 0 4294967295", 0, nil, true), ("0 0 4294967295", 65534, nil, true), ("1000 1000 1", 65534, 65534, true),
      ("         0       1000          1", 65534, 65534, false), ("0 1000 1\n1 100000 65536\n", 0, 65534, true),
      ("0 0 65536", 0, nil, true), ("0 0 1", 65534, 65534, false), ("", 65534, 65534, false),
    ] as [(String, uid_t, uid_t?, Bool)])
  func `The overflow user may be root in a user namespace that root is not in`(
    text: String, ownerOfRoot: uid_t, substitute: uid_t?, hasUser: Bool
  ) {
    let map = UserMap(text)
    #expect(map.substituteOfRoot(ownerOfRoot: ownerOfRoot) == substitute)
    #expect(map.has(1000) == hasUser)
  }

  @Test(.enabled(if: geteuid() == 0, "not root"))
  func `In a user namespace, only folders above may be the overflow user's, and none that this user may write to`()
    throws
  {
    // Only a sticky folder is above all doubt for root, who may write to any. ForeignProjectTests has another user.
    let overflow = ProjectTrustPlacesTests.stranger
    let above = try folder.makeFolder("above", mode: 0o1755)
    let mine = try folder.write("above/me/devrun.yaml", "")
    let theirs = try folder.write("above/devrun.yaml", "")
    let link = folder.path("above/me/link")
    try system { symlink("devrun.yaml", link) }
    try system { lchown(link, overflow, overflow) }
    try system { chown(above, overflow, overflow) }
    let trust = trust(substituteOfRoot: overflow)
    #expect(self.trust().doubt(about: mine, .found) == .owner(above, overflow, .folder))
    #expect(trust.doubt(about: mine, .found) == nil)
    #expect(trust.doubt(about: theirs, .found) == .owner(above, overflow, .folder))
    #expect(trust.doubt(about: link, .found) == .owner(link, overflow, .link))
    try system { chmod(above, 0o755) }
    #expect(trust.doubt(about: mine, .found) == .owner(above, overflow, .folder))
    try system { chmod(above, 0o1755) }
    try system { chown(mine, overflow, overflow) }
    #expect(trust.doubt(about: mine, .found) == .owner(mine, overflow, .file))
  }

  @Test(
    arguments: [
      // The folder's mode, the file's mode, and what the error proposes.
      (0o755, 0o666, "look at what it says; if you trust it, run `chmod go-w FILE`, or name the file with --env-file"),
      (
        0o777, 0o644, "look at what it says; if you trust it, run `chmod go-w FOLDER`, or name the file with --env-file"
      ),
      (0o1777, 0o644, "run devrun in another folder, or name a file of your own with --env-file"),
    ] as [(UInt32, UInt32, String)])
  func `The error about a file of one's own proposes its mode, and never to trust a folder that all may write to`(
    folderMode: UInt32, fileMode: UInt32, proposal: String
  ) throws {
    let file = try folder.write("a b/azds-local.env", "", mode: fileMode)
    let place = try folder.makeFolder("a b", mode: folderMode)
    let error = try #require(throws: ProjectTrustError.self) {
      try EnvironmentFiles.find(from: place, trust: trust(), option: "--env-file")
    }
    let expected = proposal.replacing("FILE", with: "'\(file)'").replacing("FOLDER", with: "'\(place)'")
    #expect(error.message.remedy == expected)
  }

  @Test(.enabled(if: geteuid() == 0, "not root"))
  func `The error about a file of another user proposes to trust its folder, unless all may write to it`() throws {
    let file = try folder.write("theirs/azds-local.env", "")
    let place = folder.path("theirs")
    try system { chown(file, Self.stranger, Self.stranger) }
    func remedy() throws -> String? {
      let error = try #require(throws: ProjectTrustError.self) {
        try EnvironmentFiles.find(from: place, trust: trust(), option: "--env-file")
      }
      return error.message.remedy
    }
    let allow = "if you trust it, name the file with --env-file, or set DEVRUN_SAFE_FOLDERS=\(place)"
    #expect(try remedy() == allow)
    try system { chown(place, Self.stranger, Self.stranger) }
    #expect(try remedy() == allow)
    for mode in [0o777, 0o1777, 0o1755] as [UInt32] {
      try system { chmod(place, mode) }
      #expect(try remedy() == "run devrun in another folder, or name a file of your own with --env-file")
    }
  }
}
