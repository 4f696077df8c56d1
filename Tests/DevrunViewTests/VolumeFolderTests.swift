import DevrunConfig
import DevrunCore
import Foundation
import Glibc
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

  @Test(arguments: ["/etc", "..1/x", "x", "..", "..data", "..missing"])
  func `A volume has no version if its data link has an unexpected target`(target: String) throws {
    try withFolder { folder in
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/..data", withDestinationPath: target)
      #expect(VolumeFolder.version(of: folder) == nil)
    }
  }

  /// Makes a copy of a part, as the agent sends it: a certificate and its key, in `sub`.
  private func makePart(_ folder: String, version: String, _ files: [String: String]) throws -> MaterializedVolumes.Copy
  {
    try FileManager.default.createDirectory(atPath: "\(folder)/sub", withIntermediateDirectories: true)
    for (name, text) in files {
      try text.write(toFile: "\(folder)/sub/\(name)", atomically: false, encoding: .utf8)
    }
    let volume = ContainerVolumes.Volume(name: "tls", mountPath: "/tls", kind: "secret")
    let part = try #require(VolumePart("sub/*"))
    let copy = MaterializedVolumes.Copy(item: .init(volume: volume, part: part, isNamed: true), folder: folder)
    try VolumeFolder.arrange(copy.path, as: RawString(version))
    return copy
  }

  @Test func `A part of a volume is renewed by one rename beside its files, which stay where they are`() throws {
    try withFolder { folder in
      let live = try makePart("\(folder)/live", version: "..start", ["crt": "1", "key": "1", "old": "x"])
      let part = "\(folder)/live/sub"
      #expect(try names(part) == ["..start", "..data", "crt", "key", "old"])
      #expect(try String(contentsOfFile: "\(part)/crt", encoding: .utf8) == "1")
      // A mount of the folder at another path, or a program in it, sees the new version too.
      let open = try #require(opendir(part))
      defer { closedir(open) }
      for version in 2...4 {
        let files = ["crt": "\(version)", "key": "\(version)", "new": "y"]
        let copy = try makePart("\(folder)/copy", version: "..\(version)", files)
        try VolumeFolder.renew(live, by: copy)
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/copy"))
      }
      #expect(try names("/proc/self/fd/\(dirfd(open))") == ["..3", "..4", "..data", "crt", "key", "new"])
      for name in ["crt", "key"] { #expect(try String(contentsOfFile: "\(part)/\(name)", encoding: .utf8) == "4") }
    }
  }

  @Test func `The certificate and the key of a part never belong to two versions`() async throws {
    let folder = try TemporaryFolder()
    let live = try makePart(folder.path("live"), version: "..start", ["crt": "0", "key": "0"])
    let part = folder.path("live/sub")
    let reading = Task {
      var seen: Set<String> = []
      while !Task.isCancelled, !seen.contains("200") {
        // One version, as a program sees it that opens the folder.
        let version = try #require(opendir("\(part)/..data"))
        defer { closedir(version) }
        let place = "/proc/self/fd/\(dirfd(version))"
        // The version before the last is removed: its reader is too slow.
        guard let crt = try? String(contentsOfFile: "\(place)/crt", encoding: .utf8),
          let key = try? String(contentsOfFile: "\(place)/key", encoding: .utf8)
        else { continue }
        #expect(crt == key)
        seen.insert(crt)
        await Task.yield()
      }
      return seen.count
    }
    for version in 1...200 {
      let files = ["crt": "\(version)", "key": "\(version)"]
      try VolumeFolder.renew(live, by: makePart(folder.path("copy"), version: "..\(version)", files))
    }
    #expect(try await reading.value > 0)
  }

  @Test func `A part that is one file is put over the old one`() throws {
    try withFolder { folder in
      let volume = ContainerVolumes.Volume(name: "tls", mountPath: "/tls", kind: "secret")
      let part = try #require(VolumePart("sub/crt"))
      func make(_ name: String, _ text: String) throws -> MaterializedVolumes.Copy {
        try FileManager.default.createDirectory(atPath: "\(folder)/\(name)/sub", withIntermediateDirectories: true)
        try text.write(toFile: "\(folder)/\(name)/sub/crt", atomically: false, encoding: .utf8)
        let copy = MaterializedVolumes.Copy(
          item: .init(volume: volume, part: part, isNamed: true), folder: "\(folder)/\(name)")
        try VolumeFolder.arrange(copy.path, as: "..1")
        return copy
      }
      let (live, copy) = (try make("live", "old"), try make("copy", "new"))
      #expect(live.path.description == "\(folder)/live/sub/crt")
      try VolumeFolder.renew(live, by: copy)
      #expect(try String(contentsOfFile: live.path.description, encoding: .utf8) == "new")
      #expect(try names("\(folder)/live/sub") == ["crt"])
    }
  }
}
