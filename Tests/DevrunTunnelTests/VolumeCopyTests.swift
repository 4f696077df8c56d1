import DevrunAgent
import DevrunAgentAPI
import DevrunArchive
import DevrunCore
import Foundation
import NIOCore
import TestSupport
import Testing

@testable import DevrunTunnel

@Suite(.timeLimit(.minutes(2))) struct VolumeCopyTests {
  private static let limits = ArchiveLimits(totalSize: 64 << 20, entries: 10_000)

  /// Copies a folder of this machine through an agent into another and compares.
  private func copy(
    _ source: String, limits: ArchiveLimits = limits, _ check: (_ copy: String, UnpackedArchive) throws -> Void
  ) async throws {
    try await withTemporaryFolder { target in
      try await TunnelFixture.run { fixture in
        try await fixture.withTunnel { tunnel in
          let result = try await tunnel.copy(RawString(source), into: target, limits: limits)
          try check(target, result)
        }
      }
    }
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test func `A volume in kubelet's layout is copied with its links, except those that lead out`() async throws {
    try await withTemporaryFolder { source in
      let files = FileManager.default
      try files.createDirectory(atPath: "\(source)/..2024_01", withIntermediateDirectories: false)
      try write(Array("secret".utf8), to: "\(source)/..2024_01/token")
      chmod("\(source)/..2024_01/token", 0o640)
      try files.createSymbolicLink(atPath: "\(source)/..data", withDestinationPath: "..2024_01")
      try files.createSymbolicLink(atPath: "\(source)/token", withDestinationPath: "..data/token")
      try files.createSymbolicLink(atPath: "\(source)/outside", withDestinationPath: "/etc/hostname")
      try files.createSymbolicLink(atPath: "\(source)/above", withDestinationPath: "../..")
      mkfifo("\(source)/pipe", 0o600)
      try await copy(source) { copy, result in
        let token = try text("\(copy)/token")
        let link = try files.destinationOfSymbolicLink(atPath: "\(copy)/..data")
        let names = try files.contentsOfDirectory(atPath: copy)
        #expect(token == "secret")
        #expect(link == "..2024_01")
        #expect(Set(names) == ["..2024_01", "..data", "token"])
        #expect(Set(result.refusedLinks) == ["outside -> /etc/hostname", "above -> ../.."])
        #expect(!result.isSingleFile)
        var status = stat()
        #expect(lstat("\(copy)/..2024_01/token", &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o640)
      }
    }
  }

  @Test func `A volume copy keeps the names, sizes and contents of many files`() async throws {
    try await withTemporaryFolder { source in
      var folder = source
      var contents: [String: Int] = [:]
      for depth in 0..<20 {
        folder += "/\(String(repeating: "n", count: 30))\(depth)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        for size in [0, 1, 511, 512, 513, 70_000] {
          let name = "\(folder)/größe \(size)"
          try write((0..<size).map { UInt8(truncatingIfNeeded: $0 * (depth + 1)) }, to: name)
          contents[String(name.dropFirst(source.count))] = size * (depth + 1)
        }
      }
      try await copy(source) { copy, result in
        #expect(result.entries == 1 + 20 * 7)
        #expect(result.totalSize == 20 * (1 + 511 + 512 + 513 + 70_000))
        for name in contents.keys {
          let here = FileManager.default.contents(atPath: copy + name)
          #expect(here == FileManager.default.contents(atPath: source + name), "\(name)")
        }
      }
    }
  }

  @Test func `The measure of a volume counts its Unix sockets, and its copy has none of them`() async throws {
    try await withTemporaryFolder { source in
      try write(Array("1".utf8), to: "\(source)/file")
      let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(listener) }
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      // Relative to the descriptor of the folder: its own path may be too long for an address.
      let folder = open(source, O_RDONLY)
      defer { close(folder) }
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "/proc/self/fd/\(folder)/socket".utf8) }
      let bound = withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      #expect(bound == 0)
      try await withTemporaryFolder { target in
        try await TunnelFixture.run { fixture in
          try await fixture.withTunnel { tunnel in
            let size = try await tunnel.size(of: RawString(source))
            #expect(size == FolderSize(bytes: 1, entries: 2, sockets: 1))
            let copy = try await tunnel.copy(RawString(source), into: target, limits: Self.limits)
            #expect(copy.entries == 2)
          }
        }
      }
    }
  }

  @Test func `A volume that is a single file is copied under its name`() async throws {
    try await withTemporaryFolder { source in
      try write(Array("value".utf8), to: "\(source)/app.conf")
      try await copy("\(source)/app.conf") { copy, result in
        #expect(result.isSingleFile)
        let value = try text("\(copy)/app.conf")
        #expect(value == "value")
      }
    }
  }

  @Test func `The copy of a volume above the size limit ends in an error`() async throws {
    try await withTemporaryFolder { source in
      try write([UInt8](repeating: 1, count: 100_000), to: "\(source)/large")
      await #expect(throws: ArchiveError.tooLarge(limit: 99_999)) {
        try await copy(source, limits: ArchiveLimits(totalSize: 99_999, entries: 10)) { _, _ in }
      }
    }
  }

  @Test func `The copy of a missing folder ends in an error that names it`() async throws {
    let error = await #expect(throws: TunnelError.self) { try await copy("/nonexistent/volume") { _, _ in } }
    guard case .failedRequest(_, let why) = error else {
      Issue.record("the error was \(String(describing: error))")
      return
    }
    #expect(why.contains("/nonexistent/volume"))
  }

  @Test func `Files that grow, shrink or vanish during a volume copy do not break it`() async throws {
    try await withTemporaryFolder { source in
      for number in 0..<200 { try write([UInt8](repeating: 0x30, count: 50_000), to: "\(source)/file\(number)") }
      let churn = Task {
        var round = 0
        while !Task.isCancelled {
          let name = "\(source)/file\(round % 200)"
          try write([UInt8](repeating: 0x31, count: (round * 7919) % 90_000), to: name)
          if round % 3 == 0 { unlink(name) }
          round += 1
          await Task.yield()
        }
      }
      for _ in 0..<3 {
        try await copy(source) { _, result in #expect(result.entries > 1) }
      }
      churn.cancel()
      try await churn.value
    }
  }

  @Test func `An archive entry that follows a link or conflicts with the entries before it is refused`() throws {
    let event = { (path: [RawString], kind: ArchiveEntry.Kind) in
      ArchiveEvent.entry(ArchiveEntry(path: path, kind: kind, mode: 0o644, modified: 0))
    }
    let stories: [[ArchiveEvent]] = [
      // A link that an earlier entry made is not followed by a later one, wherever it leads.
      [event(["a"], .symbolicLink(target: "/tmp")), event(["a", "x"], .file(size: 0))],
      [event(["a"], .symbolicLink(target: ".")), event(["a", "x"], .directory)],
      [event(["a"], .symbolicLink(target: "b")), event(["a"], .file(size: 0))],
      // Nothing is made twice, and no file is a folder.
      [event(["a"], .file(size: 0)), .endOfFile, event(["a"], .file(size: 0))],
      [event(["a"], .file(size: 0)), .endOfFile, event(["a", "b"], .file(size: 0))],
      [event(["a"], .directory), event(["a"], .directory)],
      [event(["missing", "b"], .file(size: 0))],
    ]
    for story in stories {
      let folder = try TemporaryFolder()
      var unpacker = try ArchiveUnpacker(into: folder.path)
      do {
        for step in story { try unpacker.handle(step) }
        Issue.record("\(story) was unpacked")
      } catch {
        guard case .conflictingEntry = error else {
          Issue.record("\(story) gave \(error)")
          continue
        }
      }
    }
  }
}
