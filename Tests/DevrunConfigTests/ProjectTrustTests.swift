import DevrunCore
import DevrunSystem
import Glibc
import TestSupport
import Testing

@testable import DevrunConfig

/// Tests make files of others by taking the trust from the user who runs them, because only root can give files away.
@Suite("Trust in a project's files")
struct ProjectTrustTests {
  /// A folder whose parents anyone trusts.
  private let folder: TemporaryFolder
  private let own = ProjectTrust(users: [0, geteuid()], groups: [])

  init() throws { folder = try TemporaryFolder() }

  private func find(from name: String, _ trust: ProjectTrust? = nil) throws -> [String] {
    try ProjectFolder.find(["devrun.yaml"], from: name.isEmpty ? folder.path : folder.path(name), trust: trust ?? own)
  }

  private func doubt(from name: String, _ trust: ProjectTrust? = nil) throws -> ProjectTrustError.Doubt {
    try #require(throws: ProjectTrustError.self) { try find(from: name, trust) }.doubt
  }

  @Test(arguments: [0o666, 0o664, 0o622] as [UInt32])
  func `A devrun.yaml that others may write to is refused`(mode: UInt32) throws {
    let file = try folder.write("devrun.yaml", "", mode: mode)
    let writers: ProjectTrustError.Writers = mode & 2 != 0 ? .everyone : .group(getegid())
    #expect(try doubt(from: "") == .writable(file, writers, .file))
    try system { chmod(file, 0o644) }
    #expect(try find(from: "").count == 1)
  }

  @Test(arguments: [0o777, 0o1777, 0o775, 0o1775] as [UInt32])
  func `A folder that others may write to gives no devrun.yaml, even if it is sticky`(mode: UInt32) throws {
    try folder.write("shared/devrun.yaml", "")
    let shared = try folder.makeFolder("shared", mode: mode)
    let writers: ProjectTrustError.Writers = mode & 2 != 0 ? .everyone : .group(getegid())
    #expect(try doubt(from: "shared") == .writable(shared, writers, .folder))
  }

  @Test func `A folder above may be writable for others only if it is sticky`() throws {
    try folder.write("shared/mine/devrun.yaml", "")
    try folder.makeFolder("shared", mode: 0o1777)
    #expect(try find(from: "shared/mine").count == 1)
    let shared = try folder.makeFolder("shared", mode: 0o777)
    #expect(try doubt(from: "shared/mine") == .writable(shared, .everyone, .folder))
  }

  @Test func `A group may write if nobody else is in it`() throws {
    try folder.write("project/devrun.yaml", "", mode: 0o664)
    try folder.makeFolder("project", mode: 0o775)
    #expect(throws: ProjectTrustError.self) { try find(from: "project") }
    #expect(try find(from: "project", ProjectTrust(users: [0, geteuid()], groups: [getegid()])).count == 1)
  }

  @Test func `A marker in a folder that others may write to leads no search there`() throws {
    // mallory$ mkdir /tmp/.git
    try folder.write("tmp/.git/HEAD", "")
    try folder.write("tmp/mine/devrun.yaml", "")
    try folder.write("tmp/mine/scratch/file", "")
    try folder.makeFolder("tmp", mode: 0o1777)
    // What the marker would make the project's file is not found, as without the marker.
    #expect(try find(from: "tmp/mine/scratch").isEmpty)
    #expect(try find(from: "tmp/mine").count == 1)
    // A file of others is refused.
    try folder.write("tmp/devrun.yaml", "")
    try folder.write("tmp/other/file", "")
    #expect(try doubt(from: "tmp/other") == .writable(folder.path("tmp"), .everyone, .folder))
    // A project of one's own bounds the search.
    try folder.write("tmp/other/.git/HEAD", "")
    #expect(try find(from: "tmp/other").isEmpty)
  }

  @Test(.enabled(if: geteuid() == 0, "not root"))
  func `Files, folders, links and markers of another user do not count`() throws {
    let project = try folder.makeFolder("project")
    let file = try folder.write("project/devrun.yaml", "")
    try folder.write("project/.git/HEAD", "")
    try folder.write("project/sub/file", "")
    let mallory = TestUser.nobody
    try system { chown(file, mallory.id, mallory.group) }
    #expect(try doubt(from: "project/sub") == .owner(file, mallory.id, .file))
    try system { chown(file, 0, 0) }
    try system { chown("\(project)/.git", mallory.id, mallory.group) }
    #expect(try doubt(from: "project/sub") == .owner("\(project)/.git", mallory.id, .file))
    try system { chown("\(project)/.git", 0, 0) }
    try system { chown(project, mallory.id, mallory.group) }
    #expect(try doubt(from: "project/sub") == .owner(project, mallory.id, .folder))
    try system { chown(project, 0, 0) }
    #expect(try find(from: "project/sub") == [file])
    let link = folder.path("project/sub/devrun.yaml")
    try system { symlink(file, link) }
    #expect(try find(from: "project/sub") == [link])
    try system { lchown(link, mallory.id, mallory.group) }
    #expect(try doubt(from: "project/sub") == .owner(link, mallory.id, .link))
  }

  @Test func `A link to a file that others may replace is refused`() throws {
    try folder.write("project/file", "")
    let shared = try folder.makeFolder("shared", mode: 0o777)
    try folder.write("shared/devrun.yaml", "")
    try system { symlink("../shared/./devrun.yaml", folder.path("project/devrun.yaml")) }
    #expect(try doubt(from: "project") == .writable(shared, .everyone, .folder))
  }

  @Test func `For root, the files of the user who called sudo count, and for others those of root`() throws {
    let file = try folder.write("devrun.yaml", "")
    let stranger = ProjectTrust(users: [0, 4711], groups: [])
    if geteuid() == 0 {
      try system { chown(file, 4711, 4711) }
      let sudo = ProjectTrust(environment: ["SUDO_UID": "4711"])
      #expect(try find(from: "", sudo).count == 1)
      #expect(try doubt(from: "", ProjectTrust(environment: [:])) == .owner(file, 4711, .file))
      try system { chown(file, 0, 0) }
      #expect(try find(from: "", stranger).count == 1)
    } else {
      let sudo = ProjectTrust(environment: ["SUDO_UID": "4711"])
      #expect(sudo.doubt(about: file, .found) == nil)
      #expect(stranger.doubt(about: file, .found) == .owner(folder.path, geteuid(), .folder))
    }
  }

  @Test func `The variable DEVRUN_SAFE_FOLDERS names folders whose files all count`() throws {
    try folder.write("shared/project/.git/HEAD", "", mode: 0o666)
    try folder.write("shared/project/devrun.yaml", "", mode: 0o666)
    try folder.write("shared/project/sub/file", "")
    try folder.makeFolder("shared/project", mode: 0o777)
    let shared = try folder.makeFolder("shared", mode: 0o777)
    let file = "\(shared)/project/devrun.yaml"
    for folders in ["\(shared)", "/nonexistent:\(shared)/project/", "/"] {
      let trust = ProjectTrust(environment: [RawString(ProjectTrust.variable): RawString(folders)])
      #expect(try find(from: "shared/project/sub", trust) == [file], "\(folders)")
    }
    // The marker is above the folder that is named.
    let below = try folder.write("shared/project/sub/deep/file", "")
    let inner = try folder.write("shared/project/sub/devrun.yaml", "", mode: 0o666)
    let trust = ProjectTrust(environment: [RawString(ProjectTrust.variable): RawString("\(shared)/project/sub")])
    #expect(try ProjectFolder.find(["devrun.yaml"], from: ConfigPath.folder(of: below), trust: trust) == [inner])
    try Directory.removeTree(RawString(inner))
    for folders in ["", "relative", "\(shared)/pro", "\(shared)/project/sub"] {
      let trust = ProjectTrust(environment: [RawString(ProjectTrust.variable): RawString(folders)])
      #expect(throws: ProjectTrustError.self, "\(folders)") { try find(from: "shared/project/sub", trust) }
    }
  }

  @Test func `A file that devrun.yaml names may lie in a sticky folder but not be somebody else's`() throws {
    let file = try folder.write("secret/kubeconfig", "")
    let secret = try folder.makeFolder("secret", mode: 0o1777)
    #expect(throws: Never.self) { try own.check(file, option: "--kubeconfig") }
    try system { chmod(file, 0o666) }
    let error = try #require(throws: ProjectTrustError.self) { try own.check(file, option: "--kubeconfig") }
    #expect(
      error.description == """
        \(file) is not used, because others could have put it there
        everyone may write to the file
        look at what it says; if you trust it, run `chmod go-w \(file)`, or name the file with --kubeconfig
        """)
    // Somebody else could make it between this look and the next.
    #expect(throws: ProjectTrustError.self) { try own.check("\(secret)/none", option: "--kubeconfig") }
    #expect(throws: Never.self) { try own.check(folder.path("none"), option: "--kubeconfig") }
  }
}
