import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunView

@Suite("Folder of a session")
struct SessionDirectoryTests {
  /// A folder that stands for XDG_RUNTIME_DIR.
  private let folder: TemporaryFolder
  private var base: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  private func make(_ session: String) throws -> SessionDirectory {
    try SessionDirectory(session: session, environment: ["XDG_RUNTIME_DIR": RawString(base)])
  }

  /// Makes a folder that looks like one of `MountPoints`.
  private func makeMountPoint(_ path: String) throws {
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o1711])
  }

  private func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
  }

  @Test func `A session's folder is private, its files grow by lines, and it is removed as a whole`() throws {
    let directory = try make("a")
    #expect(directory.path == "\(base)/devrun-session-a")
    #expect(try mode(directory.path) == 0o700)
    let file = try directory.write("hosts", "one\n")
    try directory.append(lines: "two\n", to: "hosts")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "one\ntwo\n")
    #expect(try directory.makeFolder("volumes/data") == "\(directory.path)/volumes/data")
    try directory.remove()
    #expect(!FileManager.default.fileExists(atPath: directory.path))
  }

  @Test func `A folder for a copy is empty though a copy that was broken off left something in it`() throws {
    let directory = try make("a")
    let folder = try directory.makeEmptyFolder("volumes/data")
    try Data("half".utf8).write(to: URL(fileURLWithPath: folder + "/file"))
    #expect(try directory.makeEmptyFolder("volumes/data") == folder)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    try directory.remove()
  }

  @Test func `A killed session's folder is removed by a later session, and a living one's is kept`() throws {
    let living = try make("living")
    let dead = "\(base)/devrun-session-dead"
    try FileManager.default.createDirectory(atPath: dead + "/volumes", withIntermediateDirectories: true)
    try Data("secret".utf8).write(to: URL(fileURLWithPath: dead + "/volumes/token"))
    let own = "\(base)/devrun-notes"
    try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
    let next = try make("next")
    #expect(FileManager.default.fileExists(atPath: own), "what is not a session's is nobody's to remove")
    #expect(!FileManager.default.fileExists(atPath: dead))
    #expect(FileManager.default.fileExists(atPath: living.path))
    try next.remove()
    try living.remove()
  }

  @Test func `A later session removes the mount points of a killed one, and each session its own`() throws {
    let place = base + "/project"
    let dead = "\(base)/devrun-session-dead"
    for folder in [place, dead] {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    try makeMountPoint(place + "/config")
    try Data((place + "/config\0").utf8).write(to: URL(fileURLWithPath: dead + "/mount-points"))
    let next = try make("next")
    #expect(!FileManager.default.fileExists(atPath: place + "/config") && FileManager.default.fileExists(atPath: place))
    #expect(!FileManager.default.fileExists(atPath: dead))
    try makeMountPoint(place + "/config")
    try Data((place + "/config\0").utf8).write(to: URL(fileURLWithPath: next.mountPointRecord.description))
    try next.remove()
    #expect(!FileManager.default.fileExists(atPath: place + "/config"))
  }

  @Test func `A killed session's folder is removed wherever it lies, also if the next one lies elsewhere`() throws {
    for folder in ["memory", "other/devrun-session-dead"] {
      try FileManager.default.createDirectory(atPath: "\(base)/\(folder)", withIntermediateDirectories: true)
    }
    let next = try SessionDirectory(
      session: "next",
      environment: ["XDG_RUNTIME_DIR": RawString("\(base)/memory"), "TMPDIR": RawString("\(base)/other")])
    #expect(next.path == "\(base)/memory/devrun-session-next")
    #expect(!FileManager.default.fileExists(atPath: "\(base)/other/devrun-session-dead"))
    try next.remove()
  }

  @Test func `A folder in which no program may be executed is the last choice among those in memory`() {
    let bases = SessionDirectory.executableFirst(["/dev/shm", "/run/user/7"]) { $0 != "/dev/shm" }
    #expect(bases == ["/run/user/7", "/dev/shm"])
    #expect(
      SessionDirectory.executableFirst(["/dev/shm", "/run/user/7"]) { _ in false } == ["/dev/shm", "/run/user/7"])
  }

  @Test func `A session's folder is removed with read-only folders in it, and links are not followed`() throws {
    let outside = base + "/outside"
    try Data("mine".utf8).write(to: URL(fileURLWithPath: outside))
    let directory = try make("b")
    let folder = try directory.makeFolder("volumes/data")
    try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: outside)
    try FileManager.default.createSymbolicLink(atPath: folder + "/up", withDestinationPath: base)
    try Data().write(to: URL(fileURLWithPath: folder + "/file"))
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder)
    try directory.remove()
    #expect(!FileManager.default.fileExists(atPath: directory.path))
    #expect(try String(contentsOfFile: outside, encoding: .utf8) == "mine")
  }
}
