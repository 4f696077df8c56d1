import DevrunKube
import Testing

@testable import DevrunSession

@Suite("Position in an agent's log")
struct LogPositionTests {
  @Test func `Log lines that come again after a break are dropped, and new ones are kept`() {
    var position = LogPosition()
    func read(_ lines: (String, String)...) -> [String] {
      lines.map { LogLine(time: "2026-01-01T00:00:\($0.0)Z", text: $0.1) }.filter { position.advance(to: $0) }.map(
        \.text)
    }
    #expect(position.time == nil)
    #expect(read(("01.1", "a"), ("02.1", "b"), ("02.25", "b"), ("02.3", "c")) == ["a", "b", "b", "c"])
    #expect(position.time == "2026-01-01T00:00:02.3Z")
    // The connection broke, and the log is asked for from the last line's second on.
    #expect(read(("02.1", "b"), ("02.25", "b"), ("02.3", "c"), ("02.4", "d"), ("03.1", "a")) == ["d", "a"])
    #expect(position.time == "2026-01-01T00:00:03.1Z")
  }
}
