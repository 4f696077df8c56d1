import DevrunCore
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@testable import DevrunView

@Suite("Where a session's folder may lie")
struct PrivateBaseTests {
  struct Example: Sendable, CustomTestStringConvertible {
    var owner: uid_t
    var mode: mode_t
    var isSafe: Bool
    var testDescription: String { "user \(owner), mode \(String(mode, radix: 8))" }
  }

  @Test(
    arguments: [
      Example(owner: 1000, mode: 0o700, isSafe: true), Example(owner: 1000, mode: 0o755, isSafe: true),
      Example(owner: 0, mode: 0o755, isSafe: true), Example(owner: 0, mode: 0o1777, isSafe: true),
      Example(owner: 1000, mode: 0o1777, isSafe: true), Example(owner: 1000, mode: 0o1770, isSafe: true),
      Example(owner: 0, mode: 0o777, isSafe: false), Example(owner: 1000, mode: 0o775, isSafe: false),
      Example(owner: 1001, mode: 0o700, isSafe: false), Example(owner: 1001, mode: 0o1777, isSafe: false),
    ])
  func `A folder is safe if nobody else can rename what is in it`(_ example: Example) {
    var status = stat()
    status.st_uid = example.owner
    status.st_mode = S_IFDIR | example.mode
    #expect(PrivateBase.isSafe(status, trusted: [0, 1000]) == example.isSafe)
  }

  @Test func `A folder below one that others may write to is not taken`() throws {
    let folder = try TemporaryFolder()
    let inner = folder.path + "/inner"
    try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: false)
    #expect(PrivateBase(inner)?.path == inner)
    try system { chmod(folder.path, 0o777) }
    #expect(PrivateBase(inner) == nil)
    try system { chmod(folder.path, 0o1777) }
    #expect(PrivateBase(inner)?.path == inner)
  }

  @Test func `A link is followed once, and the folder behind it is taken`() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder.path + "/real", withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/link", withDestinationPath: folder.path + "/real")
    #expect(PrivateBase(folder.path + "/link")?.path == folder.path + "/real")
    #expect(PrivateBase(folder.path + "/none") == nil)
    #expect(PrivateBase("relative") == nil)
  }

  @Test(.enabled(if: TestUser.own.id == 0))
  func `Root's session folder is not below a folder of an ordinary user`() throws {
    let folder = try TemporaryFolder()
    try TestUser.nobody.own(folder.path, mode: 0o700)
    let directory = try SessionDirectory(
      session: "sudo-test", environment: ["XDG_RUNTIME_DIR": RawString(folder.path), "TMPDIR": RawString(folder.path)])
    #expect(!directory.path.hasPrefix(folder.path))
    try directory.remove()
    #expect(!SessionDirectory.bases(["TMPDIR": RawString(folder.path)]).contains(folder.path))
  }
}
