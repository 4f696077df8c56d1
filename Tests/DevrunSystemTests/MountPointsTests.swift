import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

@Suite("Mount points")
struct MountPointsTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["one", "two", "place"] { try make(name) }
  }

  private func make(_ name: String, marked: Bool = false) throws {
    try FileManager.default.createDirectory(
      atPath: folder.path(name), withIntermediateDirectories: false,
      attributes: [.posixPermissions: marked ? 0o1711 : 0o755])
  }

  private func mode(_ name: String) throws -> UInt32 {
    let attributes = try FileManager.default.attributesOfItem(atPath: folder.path(name))
    return try #require((attributes[.posixPermissions] as? NSNumber)?.uint32Value)
  }

  private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.path(name)) }

  private func record(_ session: String) -> RawString { RawString(folder.path("\(session)/mount-points")) }

  private func place(_ name: String, isDirectory: Bool = true) -> MountPoints.Place {
    .init(path: RawString(folder.path(name)), isDirectory: isDirectory)
  }

  @Test func `Mount points are made in order, and all are removed with their record`() throws {
    let points = try MountPoints(
      making: [place("place/a"), place("place/a/b"), place("place/a/file", isDirectory: false)], sharing: [],
      record: record("one"))
    #expect(exists("place/a/b") && exists("place/a/file") && exists("one/mount-points"))
    #expect(points.remove().isEmpty)
    #expect(!exists("place/a") && exists("place") && !exists("one/mount-points"))
  }

  @Test func `A mount point that is no longer empty stays`() throws {
    let points = try MountPoints(
      making: [place("place/a"), place("place/file", isDirectory: false)], sharing: [], record: record("one"))
    try make("place/a/mine")
    try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.path("place/file")))
    #expect(points.remove().isEmpty)
    #expect(exists("place/a/mine") && exists("place/file"))
    #expect(try !MountPoints.isMarked(mode("place/a")))
    #expect(try !MountPoints.isMarked(mode("place/file")))
  }

  @Test func `The last of two sessions removes the mount point that they share`() throws {
    let first = try MountPoints(making: [place("place/a")], sharing: [place("place")], record: record("one"))
    let second = try MountPoints(making: [], sharing: [place("place"), place("place/a")], record: record("two"))
    #expect(first.remove().isEmpty)
    #expect(exists("place/a"))
    #expect(second.remove().isEmpty)
    #expect(!exists("place/a") && exists("place"))
  }

  @Test func `What others have made meanwhile is used, and never removed`() throws {
    try make("place/a")
    let points = try MountPoints(making: [place("place/a")], sharing: [place("place")], record: record("one"))
    #expect(points.remove().isEmpty)
    #expect(exists("place/a") && exists("place"))
  }

  @Test func `Two sessions that find a mount point missing at the same moment share it`() throws {
    let first = try MountPoints(making: [place("place/a")], sharing: [], record: record("one"))
    let second = try MountPoints(making: [place("place/a")], sharing: [], record: record("two"))
    #expect(first.remove().isEmpty)
    #expect(exists("place/a"))
    #expect(second.remove().isEmpty)
    #expect(!exists("place/a"))
  }

  @Test func `A mount point can be opened by its user alone, so that nobody else can lock it`() throws {
    let points = try MountPoints(
      making: [place("place/a"), place("place/file", isDirectory: false)], sharing: [], record: record("one"))
    for name in ["place/a", "place/file"] {
      let permissions = try mode(name)
      #expect(permissions & 0o066 == 0 && MountPoints.isMarked(permissions))
    }
    #expect(points.remove().isEmpty)
  }

  @Test func `No symbolic link is followed to where a mount point is made or removed`() throws {
    for name in ["mine", "mine/a", "place/sub"] { try make(name, marked: name == "mine/a") }
    try FileManager.default.createSymbolicLink(atPath: folder.path("place/link"), withDestinationPath: "../mine")
    let error = #expect(throws: MountPoints.Failure.self) {
      try MountPoints(making: [place("place/link/b")], sharing: [], record: record("one"))
    }
    #expect(error?.error == .notADirectory && !exists("mine/b"))
    let points = try MountPoints(making: [place("place/sub/a")], sharing: [], record: record("one"))
    try FileManager.default.moveItem(atPath: folder.path("place/sub"), toPath: folder.path("place/moved"))
    try FileManager.default.createSymbolicLink(atPath: folder.path("place/sub"), withDestinationPath: "../mine")
    #expect(points.remove().isEmpty)
    #expect(exists("mine/a"))
  }

  @Test func `A folder that somebody made in the place of a mount point stays, though it is empty`() throws {
    let points = try MountPoints(making: [place("place/a")], sharing: [], record: record("one"))
    try FileManager.default.removeItem(atPath: folder.path("place/a"))
    try make("place/a")
    #expect(points.remove().isEmpty)
    #expect(exists("place/a"))
  }

  @Test func `A mount point that cannot be made leaves nothing behind`() throws {
    let error = #expect(throws: MountPoints.Failure.self) {
      try MountPoints(making: [place("place/a"), place("none/b")], sharing: [], record: record("one"))
    }
    #expect(error?.path == RawString(folder.path("none/b")) && error?.error == .noEntry)
    #expect(!exists("place/a") && !exists("one/mount-points"))
  }

  @Test func `A record of a killed session is enough to remove what it had made`() throws {
    try make("place/a", marked: true)
    try make("place/a/b", marked: true)
    let paths = ["place/a", "place/a/b", "place/never-made"].map { folder.path($0) }
    try Data((paths.joined(separator: "\0") + "\0").utf8).write(to: URL(fileURLWithPath: record("one").description))
    #expect(MountPoints.remove(recordedIn: record("one")).isEmpty)
    #expect(!exists("place/a") && exists("place") && !exists("one/mount-points"))
    #expect(MountPoints.remove(recordedIn: record("two")).isEmpty)
  }
}
