import DevrunAgent
import DevrunAgentAPI
import DevrunArchive
import DevrunCore
import Foundation
import Synchronization
import Testing

@testable import DevrunTunnel

@Suite(.timeLimit(.minutes(2))) struct VolumeFollowTests {
  /// Writes a version of a volume as kubelet does it: a new folder, and a link renamed over `..data`.
  private func write(_ version: String, _ files: [String: String], to volume: String) throws {
    let manager = FileManager.default
    try manager.createDirectory(atPath: "\(volume)/\(version)", withIntermediateDirectories: true)
    for (name, text) in files {
      try text.write(toFile: "\(volume)/\(version)/\(name)", atomically: false, encoding: .utf8)
      if (try? manager.destinationOfSymbolicLink(atPath: "\(volume)/\(name)")) == nil {
        try manager.createSymbolicLink(atPath: "\(volume)/\(name)", withDestinationPath: "..data/\(name)")
      }
    }
    try manager.createSymbolicLink(atPath: "\(volume)/..data_tmp", withDestinationPath: version)
    #expect(rename("\(volume)/..data_tmp", "\(volume)/..data") == 0)
  }

  @Test func `A followed volume reports its present version and each new one, unlike a plain folder`() async throws {
    try await withTemporaryFolder { folder in
      let (one, two, plain) = ("\(folder)/one", "\(folder)/two", "\(folder)/plain")
      try FileManager.default.createDirectory(atPath: plain, withIntermediateDirectories: false)
      try write("..1", ["a": "1"], to: one)
      try write("..1", ["b": "1"], to: two)
      try await TunnelFixture.run { fixture in
        try await fixture.withTunnel { tunnel in
          struct Done: Error {}
          var seen: [VolumeChange] = []
          await #expect(throws: Done.self) {
            try await tunnel.followVolumes([one, plain, two, "\(folder)/none"].map { RawString($0) }) { change in
              seen.append(change)
              switch seen.count {
              case 2: try write("..2", ["b": "2"], to: two)
              case 3: try write("..2", ["a": "2"], to: one)
              case 4: throw Done()
              default: break
              }
            }
          }
          #expect(
            seen == [
              VolumeChange(index: 0, version: RawString("..1")), VolumeChange(index: 2, version: RawString("..1")),
              VolumeChange(index: 2, version: RawString("..2")), VolumeChange(index: 0, version: RawString("..2")),
            ])
        }
      }
    }
  }

  @Test func `A followed folder without versions reports that its files were written, came or went`() async throws {
    try await withTemporaryFolder { folder in
      let (plain, kept) = ("\(folder)/plain", "\(folder)/kept")
      for path in [plain, kept] {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      }
      try "1".write(toFile: "\(plain)/a", atomically: false, encoding: .utf8)
      try write("..1", ["a": "1"], to: kept)
      try await TunnelFixture.run { fixture in
        try await fixture.withTunnel { tunnel in
          struct Done: Error {}
          var seen: [VolumeChange] = []
          await #expect(throws: Done.self) {
            try await tunnel.followVolumes([plain, kept].map { RawString($0) }) { change in
              seen.append(change)
              // In a folder with versions this is not the moment of the renewal.
              try "x".write(toFile: "\(kept)/other", atomically: false, encoding: .utf8)
              switch seen.count {
              case 1: try "2".write(toFile: "\(plain)/a", atomically: false, encoding: .utf8)
              case 2: #expect(rename("\(plain)/a", "\(plain)/b") == 0)
              case 3: throw Done()
              default: break
              }
            }
          }
          let changed = VolumeChange(index: 0, version: VolumeChange.withoutVersion)
          #expect(seen == [VolumeChange(index: 1, version: RawString("..1")), changed, changed])
        }
      }
    }
  }

  @Test func `A cancelled task stops following volumes, and the tunnel stays usable`() async throws {
    try await withTemporaryFolder { folder in
      try write("..1", ["a": "1"], to: folder)
      try await TunnelFixture.run { fixture in
        try await fixture.withTunnel { tunnel in
          let (told, tell) = AsyncStream.makeStream(of: VolumeChange.self)
          let following = Task { try await tunnel.followVolumes([RawString(folder)]) { tell.yield($0) } }
          for await change in told {
            #expect(change == VolumeChange(index: 0, version: RawString("..1")))
            break
          }
          following.cancel()
          await #expect(throws: (any Error).self) { try await following.value }
          let size = try await tunnel.size(of: RawString("\(folder)/..1"))
          #expect(size == FolderSize(bytes: 1, entries: 2))
        }
      }
    }
  }

  @Test(
    arguments: [
      (nil, 11, 12), ("sub/*.crt", 5, 4), ("top", 1, 2), ("nothing", 0, 1), ("sub", 8, 6), ("*/b.crt", 3, 3),
      ("sub/deep/..", 0, 3), ("[st]*", 9, 7),
    ] as [(String?, Int, Int)])
  func `A part of a volume is measured and copied with its links followed`(
    part: String?, bytes: Int, entries: Int
  ) async throws {
    try await withTemporaryFolder { folder in
      let manager = FileManager.default
      let (source, target) = ("\(folder)/source", "\(folder)/target")
      try manager.createDirectory(atPath: "\(source)/..1/sub/deep", withIntermediateDirectories: true)
      try manager.createDirectory(atPath: target, withIntermediateDirectories: true)
      for (name, text) in ["top": "1", "sub/a.crt": "22", "sub/b.crt": "333", "sub/deep/c": "444"] {
        try text.write(toFile: "\(source)/..1/\(name)", atomically: false, encoding: .utf8)
      }
      try "55".write(toFile: "\(source)/other", atomically: false, encoding: .utf8)
      for (name, place) in ["..data": "..1", "top": "..data/top", "sub": "..data/sub"] {
        try manager.createSymbolicLink(atPath: "\(source)/\(name)", withDestinationPath: place)
      }
      try await TunnelFixture.run { fixture in
        try await fixture.withTunnel { tunnel in
          let selection = part.map { RawString($0) }
          let size = try await tunnel.size(of: RawString(source), selecting: selection)
          let told = Mutex(0)
          let copied = try await tunnel.copy(
            RawString(source), selecting: selection, into: target, limits: ArchiveLimits(totalSize: 100, entries: 100),
            progress: { bytes in told.withLock { $0 = bytes } })
          #expect(copied.totalSize == bytes)
          #expect(told.withLock { $0 } == bytes)
          #expect(size.bytes == bytes)
          #expect(size.entries == copied.entries)
          #expect(copied.entries == entries, "\(copied)")
        }
      }
      if part == "sub/*.crt" {
        #expect(try String(contentsOfFile: "\(target)/sub/a.crt", encoding: .utf8) == "22")
        #expect((try? manager.destinationOfSymbolicLink(atPath: "\(target)/sub")) == nil)
      }
    }
  }

  @Test(arguments: [nil, "*"] as [String?])
  func `A copy holds the files of one version while the volume is renewed all the time`(part: String?) async throws {
    try await withTemporaryFolder { folder in
      let source = "\(folder)/source"
      let names = (0..<20).map { "file\($0)" }
      @Sendable func renew(_ version: Int) throws {
        try write(
          "..\(version)", Dictionary(uniqueKeysWithValues: names.map { ($0, "\(version)") }), to: source)
        if version > 1 { try FileManager.default.removeItem(atPath: "\(source)/..\(version - 1)") }
      }
      try renew(1)
      let renewing = Task {
        var version = 1
        while !Task.isCancelled {
          version += 1
          try renew(version)
          do { try await Task.sleep(for: .milliseconds(Int.random(in: 1...4))) } catch { break }
        }
        return version
      }
      try await TunnelFixture.run { fixture in
        try await fixture.withTunnel { tunnel in
          for round in 0..<50 {
            let target = "\(folder)/\(round)"
            try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
            _ = try await tunnel.copy(
              RawString(source), selecting: part.map { RawString($0) }, into: target,
              limits: ArchiveLimits(totalSize: 1000, entries: 100))
            let versions = try names.map { try String(contentsOfFile: "\(target)/\($0)", encoding: .utf8) }
            #expect(Set(versions).count == 1, "\(versions)")
          }
        }
      }
      renewing.cancel()
      #expect(try await renewing.value > 10)
    }
  }
}
