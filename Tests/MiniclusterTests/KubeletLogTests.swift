import DevrunSystem
import NIOCore
import TestSupport
import Testing

@testable import Minicluster

/// The logs of containers.
struct KubeletLogTests {
  private func options(follow: Bool = false, tail: Int? = nil, limit: Int? = nil) -> LogOptions {
    var options = LogOptions()
    options.follow = follow
    options.tailLines = tail
    options.limitBytes = limit
    return options
  }

  private func text(_ log: PodLog, _ options: LogOptions) async -> String {
    var text = ""
    for await part in log.stream(options) { text += String(buffer: part) }
    return text
  }

  private func with(_ body: (PodLog) async throws -> Void) async throws {
    try await TemporaryFolder.with { folder in try await body(try PodLog(path: folder.path("log"))) }
  }

  @Test func `A line is in the log once it is whole, and the rest with the container's end`() async throws {
    try await with { log in
      log.write(ByteBuffer(string: "one\ntw"))
      #expect(await text(log, options()) == "one\n")
      log.write(ByteBuffer(string: "o\n\nthree"))
      #expect(await text(log, options()) == "one\ntwo\n\n")
      log.finish()
      #expect(await text(log, options()) == "one\ntwo\n\nthree")
    }
  }

  @Test(arguments: [(0, ""), (1, "three"), (2, "two\nthree"), (9, "one\ntwo\nthree")])
  func `A tail has the last lines`(count: Int, expected: String) async throws {
    try await with { log in
      log.write(ByteBuffer(string: "one\ntwo\nthree"))
      log.finish()
      #expect(await text(log, options(tail: count)) == expected)
    }
  }

  @Test func `A line that is too long for one entry is one line of a tail`() async throws {
    let long = String(repeating: "x", count: 40_000)
    try await with { log in
      log.write(ByteBuffer(string: "a\n\(long)\n"))
      log.finish()
      #expect(await text(log, options()) == "a\n\(long)\n")
      #expect(await text(log, options(tail: 1)) == "\(long)\n")
    }
  }

  @Test func `A log ends at the limit of bytes`() async throws {
    try await with { log in
      log.write(ByteBuffer(string: "one\ntwo\n"))
      #expect(await text(log, options(limit: 5)) == "one\nt")
    }
  }

  @Test func `Each line of a log can begin with its time`() async throws {
    try await with { log in
      log.write(ByteBuffer(string: "one\n"))
      var options = options()
      options.timestamps = true
      let line = await text(log, options)
      #expect(line.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one\n/#) != nil)
    }
  }

  @Test func `A reader that follows gets each line as it comes, and ends with the container`() async throws {
    try await with { log in
      log.write(ByteBuffer(string: "one\n"))
      var lines = log.stream(options(follow: true)).makeAsyncIterator()
      #expect(await lines.next().map { String(buffer: $0) } == "one\n")
      log.write(ByteBuffer(string: "two\n"))
      #expect(await lines.next().map { String(buffer: $0) } == "two\n")
      log.finish()
      #expect(await lines.next() == nil)
    }
  }

  @Test func `A reader that is cancelled ends`() async throws {
    try await with { log in
      let begun = Latch<Bool>()
      let reader = Task {
        var count = 0
        for await _ in log.stream(options(follow: true)) {
          count += 1
          begun.set(true)
        }
        return count
      }
      log.write(ByteBuffer(string: "one\n"))
      _ = await begun.wait()
      reader.cancel()
      #expect(await reader.value == 1)
    }
  }

  @Test func `The last words of a container are the end of its log`() async throws {
    try await with { log in
      log.write(ByteBuffer(string: (1...100).map { "\($0)\n" }.joined()))
      log.finish()
      #expect(log.lastWords().hasPrefix("21\n"))
      #expect(log.lastWords().hasSuffix("100\n"))
    }
  }
}
