import DevrunCore
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@testable import DevrunSession

@Suite("Folder of the logs")
struct LogFolderTests {
  private let scratch: TemporaryFolder
  private let other = "devrun-\(geteuid())"

  init() throws { scratch = try TemporaryFolder() }

  private func folder() throws -> String { try LogFolder(environment: environment).path }

  private var environment: EnvironmentVariables { ["TMPDIR": RawString(scratch.path)] }

  private func log(_ number: Int) -> String {
    let digits = String(number)
    return "20260101T000000Z-\(String(repeating: "0", count: 3 - digits.count))\(digits).log"
  }

  @Test func `The log folder is a private folder in the temporary directory and is used again`() throws {
    #expect(try folder() == "\(scratch.path)/devrun")
    #expect(try scratch.mode(of: "devrun") == 0o700)
    #expect(try folder() == "\(scratch.path)/devrun")
    #expect(try scratch.names() == ["devrun"])
  }

  @Test func `The log folder is found if TMPDIR ends with a slash`() throws {
    #expect(try LogFolder(environment: ["TMPDIR": RawString("\(scratch.path)/")]).path == "\(scratch.path)/devrun")
  }

  @Test(arguments: ["elsewhere", "missing"])
  func `The log folder takes its second name if the first belongs to a symbolic link`(target: String) throws {
    try scratch.makeFolder("elsewhere", mode: 0o700)
    symlink("\(scratch.path)/\(target)", "\(scratch.path)/devrun")
    let folder = try LogFolder(environment: environment)
    #expect(folder.path == "\(scratch.path)/\(other)")
    #expect(folder.passedOver == ["\(scratch.path)/devrun"])
    try folder.create(log(1)).close()
    #expect(try scratch.names(in: "elsewhere") == [])
  }

  @Test(arguments: [0o755, 0o770, 0o711] as [mode_t])
  func `The log folder takes its second name if others may look into the first folder`(mode: mode_t) throws {
    try scratch.makeFolder("devrun", mode: mode)
    #expect(try folder() == "\(scratch.path)/\(other)")
    #expect(try scratch.mode(of: "devrun") == Int(mode), "it may be a folder of the user's own work")
  }

  @Test func `The log folder takes its second name if the first belongs to a file`() throws {
    try scratch.write("devrun", "")
    #expect(try folder() == "\(scratch.path)/\(other)")
  }

  @Test(.enabled(if: geteuid() == 0, "root is needed"))
  func `The log folder takes its second name if the first folder belongs to somebody else`() throws {
    try scratch.makeFolder("devrun", mode: 0o700)
    chown("\(scratch.path)/devrun", 1, 1)
    #expect(try folder() == "\(scratch.path)/\(other)")
  }

  @Test func `The log folder takes a random name if both of its usual names are taken`() throws {
    try scratch.makeFolder("devrun", mode: 0o777)
    symlink("/", "\(scratch.path)/\(other)")
    let folder = try LogFolder(environment: environment)
    #expect(folder.path.hasPrefix("\(scratch.path)/\(other)-"))
    #expect(try scratch.mode(of: String(folder.path.dropFirst(scratch.path.count + 1))) == 0o700)
    #expect(folder.passedOver.count == 2)
  }

  @Test func `A log folder that cannot be created is an error that names the place`() throws {
    #expect(throws: SessionError.noSessionLog("\(scratch.path)/none/devrun", .noEntry)) {
      _ = try LogFolder(environment: ["TMPDIR": RawString("\(scratch.path)/none")]).path
    }
  }

  @Test func `A log is readable by its user alone and is not created through an existing link`() throws {
    let folder = try LogFolder(environment: environment)
    try folder.create(log(1)).close()
    #expect(try scratch.mode(of: "devrun/\(log(1))") == 0o600)
    try scratch.write("victim", "mine")
    symlink("\(scratch.path)/victim", "\(scratch.path)/devrun/\(log(2))")
    #expect(throws: SessionError.noSessionLog("\(folder.path)/\(log(2))", .exists)) {
      _ = try folder.create(log(2))
    }
    #expect(try scratch.text(of: "victim") == "mine")
  }

  @Test func `The newest twenty logs are kept, and so are logs in use and files that are no logs`() throws {
    let folder = try LogFolder(environment: environment)
    let written = try folder.create(log(0))
    for number in 1...30 { try folder.create(log(number)).close() }
    for name in ["notes.txt", "20260101T000000Z.log", "20260101T000000Z-a.log.gz"] {
      try scratch.write("devrun/\(name)", "")
    }
    try folder.create(log(31)).close()
    let kept = try scratch.names(in: "devrun")
    #expect(kept.filter(LogFolder.isLog) == [log(0)] + (12...31).map(log))
    #expect(kept.count == 24)
    written.close()
    try folder.create(log(32)).close()
    #expect(try scratch.names(in: "devrun").filter(LogFolder.isLog) == (13...32).map(log))
  }
}
