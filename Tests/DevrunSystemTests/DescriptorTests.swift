import DevrunCore
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Descriptor", .timeLimit(.minutes(1)))
struct DescriptorTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(_ name: String, _ flags: Int32 = O_RDONLY) throws(Errno) -> Descriptor {
    try Descriptor.open(RawString(folder.path(name)), flags, mode: 0o600)
  }

  @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 200_000])
  func `A file is read to its end if it has as many bytes as the limit`(count: Int) throws {
    try folder.write("file", String(repeating: "x", count: count))
    #expect(try open("file").readToEnd(limit: count).count == count)
    #expect(try open("file").readToEnd().count == count)
  }

  @Test(arguments: [1, 65_536, 65_537, 200_000])
  func `A file with one byte above the limit is too large`(count: Int) throws {
    try folder.write("file", String(repeating: "x", count: count))
    #expect(throws: Errno.fileTooLarge) { try open("file").readToEnd(limit: count - 1) }
  }

  @Test func `A read returns what there is, and nothing at the end`() throws {
    let (reading, writing) = try Descriptor.pipe()
    try writing.writeAll("abc".utf8)
    #expect(try reading.read(upTo: 2) == Array("ab".utf8))
    #expect(try reading.read(upTo: 2) == Array("c".utf8))
    writing.close()
    #expect(try reading.read(upTo: 2) == [])
    #expect(try reading.readToEnd() == [])
  }

  @Test func `A write to a pipe that nobody reads fails with EPIPE`() throws {
    let (reading, writing) = try Descriptor.pipe()
    reading.close()
    let signals = SignalSet([SIGPIPE])
    let before = try signals.block()
    #expect(throws: Errno.brokenPipe) { try writing.writeAll([1]) }
    // The write has sent it to this thread as well.
    #expect(try signals.wait() == SIGPIPE)
    if !before.contains(SIGPIPE) { try signals.unblock() }
  }

  @Test func `A write to a full device fails with ENOSPC`() throws {
    let full = try Descriptor.open("/dev/full", O_WRONLY)
    #expect(throws: Errno.noSpace) { try full.writeAll([1]) }
  }

  @Test func `A write that signals cut short goes on until all bytes are written`() async throws {
    // A handler that does nothing, and no SA_RESTART: the write returns what it has done so far, or EINTR.
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    try system { sigaction(SIGURG, &action, nil) }
    let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
    let (reading, writing) = try Descriptor.pipe()
    let (gate, release) = try Descriptor.pipe()
    let writer = Latch<pthread_t>()
    let failure = Latch<Errno?>()
    try NativeThread.start(name: "test-write") {
      do throws(Errno) {
        try SignalSet([SIGURG]).unblock()
        writer.set(pthread_self())
        try writing.writeAll(bytes)
        failure.set(nil)
      } catch {
        failure.set(error)
      }
      writing.close()
      // The thread must be there as long as it is sent signals.
      _ = try? gate.readToEnd()
    }
    let thread = await writer.uncancelledValue()
    var received: [UInt8] = []
    while true {
      pthread_kill(thread, SIGURG)
      let piece = try reading.read(upTo: 1000)
      if piece.isEmpty { break }
      received += piece
    }
    release.close()
    #expect(await failure.uncancelledValue() == nil)
    #expect(received == bytes)
  }

  @Test func `A descriptor is opened seen from a folder, and not inherited by programs`() throws {
    try folder.write("file", "content")
    let parent = try Descriptor.open(RawString(folder.path), O_RDONLY | O_DIRECTORY)
    let file = try Descriptor.open("file", O_RDONLY, in: parent)
    #expect(try file.readToEnd() == Array("content".utf8))
    #expect(try file.status().st_size == 7)
    let (reading, writing) = try Descriptor.pipe()
    let (one, other) = try Descriptor.socketPair(type: SOCK_STREAM)
    for descriptor in [parent, file, reading, writing, one, other] {
      #expect(fcntl(descriptor.number, F_GETFD) & FD_CLOEXEC != 0)
    }
  }

  @Test func `A descriptor that cannot be opened is the error of the kernel`() throws {
    try folder.write("file", "")
    #expect(throws: Errno.noEntry) { try open("missing") }
    #expect(throws: Errno.notADirectory) { try open("file/below") }
    #expect(throws: Errno.exists) { try open("file", O_WRONLY | O_CREAT | O_EXCL) }
    #expect(throws: Errno.isADirectory) { try open("", O_WRONLY) }
  }
}
