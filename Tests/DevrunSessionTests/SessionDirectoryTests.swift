import DevrunCore
import Foundation
import Testing

@testable import DevrunSession

@Suite("The session's folder")
struct SessionDirectoryTests {
  /// A folder that stands for XDG_RUNTIME_DIR.
  private let base = FileManager.default.temporaryDirectory.appending(path: "devrun-tests-\(UUID())").path

  init() throws {
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
  }

  private func make(_ session: String) throws -> SessionDirectory {
    try SessionDirectory(session: session, environment: ["XDG_RUNTIME_DIR": RawString(base)])
  }

  private func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
  }

  @Test("is this user's alone, grows by appended lines, and goes with all that is in it")
  func life() throws {
    defer { _ = FileTree.remove(base) }
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

  @Test("is left alone while its session lives, and removed by a later one when it was killed")
  func abandoned() throws {
    defer { _ = FileTree.remove(base) }
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

  @Test("is removed with folders that may not be written to, and links are not followed")
  func hostile() throws {
    defer { _ = FileTree.remove(base) }
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
