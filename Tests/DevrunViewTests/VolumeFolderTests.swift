import DevrunCore
import Foundation
import TestSupport
import Testing

@testable import DevrunView

@Suite("Folder of a volume")
struct VolumeFolderTests {
  /// Makes a folder as kubelet's AtomicWriter does.
  private func make(_ path: String, version: String, _ files: [String: String]) throws {
    let manager = FileManager.default
    try manager.createDirectory(atPath: "\(path)/\(version)", withIntermediateDirectories: true)
    try manager.createSymbolicLink(atPath: "\(path)/..data", withDestinationPath: version)
    for (name, text) in files {
      let place = "\(path)/\(version)/\(name)"
      try manager.createDirectory(
        atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try text.write(toFile: place, atomically: false, encoding: .utf8)
      let first = String(name.split(separator: "/")[0])
      if (try? manager.destinationOfSymbolicLink(atPath: "\(path)/\(first)")) == nil {
        try manager.createSymbolicLink(atPath: "\(path)/\(first)", withDestinationPath: "..data/\(first)")
      }
    }
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    try TemporaryFolder.with { try body($0.path) }
  }

  private func names(_ path: String) throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: path))
  }

  @Test func `A volume's new version replaces the old one by one rename, with names added and removed`() throws {
    try withFolder { folder in
      let (live, copy) = ("\(folder)/live", "\(folder)/copy")
      try make(live, version: "..1", ["stays": "old", "goes": "x", "sub/a": "old"])
      try make(copy, version: "..2", ["stays": "new", "comes": "y", "sub/a": "new"])
      // What a program has open is whole to its end.
      let open = try #require(FileHandle(forReadingAtPath: "\(live)/stays"))
      try VolumeFolder.renew(live, from: copy)
      #expect(VolumeFolder.version(of: live) == RawString("..2"))
      #expect(try names(live) == ["..1", "..2", "..data", "stays", "comes", "sub"])
      #expect(try String(contentsOfFile: "\(live)/stays", encoding: .utf8) == "new")
      #expect(try String(contentsOfFile: "\(live)/comes", encoding: .utf8) == "y")
      #expect(try String(contentsOfFile: "\(live)/sub/a", encoding: .utf8) == "new")
      #expect(try open.readToEnd() == Data("old".utf8))
      #expect(!FileManager.default.fileExists(atPath: copy))
      try make(copy, version: "..3", ["stays": "newer"])
      try VolumeFolder.renew(live, from: copy)
      #expect(try names(live) == ["..2", "..3", "..data", "stays"])
    }
  }

  @Test func `A volume never lacks a name or goes back to an older version while it is renewed`() async throws {
    let folder = try TemporaryFolder()
    let live = folder.path("live")
    try make(live, version: "..0", ["value": "0"])
    let reading = Task {
      var last = 0
      var seen = 0
      while !Task.isCancelled, last < 200 {
        let text = try String(contentsOfFile: "\(live)/value", encoding: .utf8)
        let value = try #require(Int(text))
        #expect(value >= last)
        last = value
        seen += 1
        await Task.yield()
      }
      return seen
    }
    for version in 1...200 {
      try make(folder.path("copy"), version: "..\(version)", ["value": "\(version)"])
      try VolumeFolder.renew(live, from: folder.path("copy"))
    }
    #expect(try await reading.value > 0)
  }

  @Test func `A volume without versions is renewed file by file and loses files that are gone`() throws {
    try withFolder { folder in
      let (live, copy) = ("\(folder)/live", "\(folder)/copy")
      let manager = FileManager.default
      for path in ["\(live)/sub/old", "\(live)/was-folder", "\(copy)/sub", "\(copy)/was-file"] {
        try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
      }
      for (path, text) in [
        "\(live)/same": "old", "\(live)/gone": "x", "\(live)/was-file": "x", "\(live)/sub/a": "old",
        "\(copy)/same": "new", "\(copy)/was-folder": "file", "\(copy)/sub/a": "new", "\(copy)/was-file/b": "new",
      ] { try text.write(toFile: path, atomically: false, encoding: .utf8) }
      try VolumeFolder.renew(live, from: copy)
      #expect(try names(live) == ["same", "was-folder", "was-file", "sub"])
      #expect(try names("\(live)/sub") == ["a"])
      #expect(try String(contentsOfFile: "\(live)/same", encoding: .utf8) == "new")
      #expect(try String(contentsOfFile: "\(live)/was-folder", encoding: .utf8) == "file")
      #expect(try String(contentsOfFile: "\(live)/was-file/b", encoding: .utf8) == "new")
    }
  }

  @Test(arguments: ["/etc", "..1/x", "x", ".."])
  func `A volume has no version if its data link has an unexpected target`(target: String) throws {
    try withFolder { folder in
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/..data", withDestinationPath: target)
      #expect(VolumeFolder.version(of: folder) == nil)
    }
  }
}
