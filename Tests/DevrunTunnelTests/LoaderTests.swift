import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Loader of the agent", .enabled(if: isInstalled("gcc")), .timeLimit(.minutes(2))) struct LoaderTests {
  /// A loader that waits for the rest of the agent, which prints its arguments.
  private struct Loading {
    let process: TestProcess
    let pieces: Descriptor
    let rest: [UInt8]

    init() async throws {
      let folder = try TemporaryFolder()
      let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/devrun-loader").standardized.path
      let loader = folder.path("loader")
      try await TestProcess.run(
        ["gcc", "-std=c17", "-o", loader] + ["main.c", "inflate.c", "signals.c"].map { "\(sources)/\($0)" } + ["-lz"])
      for name in ["run", "payload"] {
        try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: false)
      }
      let agent = try folder.write("agent", "#!/bin/sh\necho \"agent $*\"\n", mode: 0o644)
      try await TestProcess.run(["gzip", "-n", agent])
      let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(agent).gz")))
      let fifo = try Fifo(folder.path("payload/agent.gz.000"))
      process = try TestProcess(
        [loader, "run", folder.path("run"), folder.path("payload"), "--", "its", "arguments"], place: .terminal,
        keeping: folder)
      pieces = try await fifo.openForWriting()
      try pieces.writeAll(bytes.prefix(10))
      rest = Array(bytes.dropFirst(10))
    }

    /// Gives the loader what is missing.
    func complete() throws {
      try pieces.writeAll(rest)
      pieces.close()
    }
  }

  @Test func `A terminal that gets another size does not end the loader while it inflates`() async throws {
    let loading = try await Loading()
    for rows in [33, 44] as [UInt16] { try loading.process.resizeTerminal(rows: rows, columns: 100) }
    try loading.complete()
    #expect(try await loading.process.status() == .exited(0))
    #expect(try await loading.process.output.whole().contains("agent its arguments"))
  }

  @Test(arguments: [SIGTERM, SIGWINCH, SIGQUIT, 37])
  func `A signal that somebody sends ends the loader while it inflates`(signal: Int32) async throws {
    let loading = try await Loading()
    loading.process.signal(signal)
    #expect(try await loading.process.status() == .exited(0))
    #expect(try await loading.process.output.whole() == "")
    loading.pieces.close()
  }
}
