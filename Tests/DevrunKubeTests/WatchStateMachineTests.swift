import DevrunCore
import NIOCore
import Testing

@testable import DevrunKube

@Suite("Watch state machine")
struct WatchStateMachineTests {
  /// What is told to the machine.
  enum Input: Sendable {
    case listed(String)
    case opened
    case event(String)
    case bookmark(String)
    case error(Int)
    case ended(wasLong: Bool)
    case failed(KubeError)
  }

  private static func status(_ code: Int) -> KubeError {
    .status(APIStatus(code: code, message: "x"), request: "watch", context: "c")
  }

  private static let broken = KubeError.transport(.dropped("x"), server: "s")

  @Test func `A watch that begins at a known version lists only when that is too old`() {
    var machine = WatchStateMachine(isPersistent: true, start: "5")
    #expect(machine.next() == .watch(resourceVersion: "5"))
    machine.failed(Self.status(410))
    #expect(machine.next() == .list)
  }

  struct Story: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var inputs: [Input]
    /// What is done at first and after each input.
    var actions: [WatchStateMachine.Action]
  }

  static let stories = [
    Story(
      testDescription: "begins with a list, and watches from its version",
      inputs: [.listed("5"), .opened], actions: [.list, .watch(resourceVersion: "5"), .read]),
    Story(
      testDescription: "resumes from the last event",
      inputs: [.listed("5"), .opened, .event("7"), .ended(wasLong: true)],
      actions: [.list, .watch(resourceVersion: "5"), .read, .read, .watch(resourceVersion: "7")]),
    Story(
      testDescription: "resumes from the last bookmark",
      inputs: [.listed("5"), .opened, .bookmark("9"), .ended(wasLong: true)],
      actions: [.list, .watch(resourceVersion: "5"), .read, .read, .watch(resourceVersion: "9")]),
    Story(
      testDescription: "resumes when the connection breaks",
      inputs: [.listed("5"), .opened, .event("7"), .failed(broken)],
      actions: [.list, .watch(resourceVersion: "5"), .read, .read, .watch(resourceVersion: "7")]),
    Story(
      testDescription: "lists again when the version is too old (as a status)",
      inputs: [.listed("5"), .failed(status(410))], actions: [.list, .watch(resourceVersion: "5"), .list]),
    Story(
      testDescription: "lists again when the version is too old (as an event)",
      inputs: [.listed("5"), .opened, .error(410)], actions: [.list, .watch(resourceVersion: "5"), .read, .list]),
    Story(
      testDescription: "waits longer and longer while nothing comes",
      inputs: [
        .listed("5"), .failed(broken), .failed(broken), .failed(status(503)), .opened, .event("6"), .failed(broken),
      ],
      actions: [
        .list, .watch(resourceVersion: "5"), .watch(resourceVersion: "5"), .backOff(attempt: 2), .backOff(attempt: 3),
        .read, .read, .watch(resourceVersion: "6"),
      ]),
    Story(
      testDescription: "waits when watches end as soon as they begin",
      inputs: [.listed("5"), .opened, .ended(wasLong: false), .opened, .ended(wasLong: false)],
      actions: [
        .list, .watch(resourceVersion: "5"), .read, .watch(resourceVersion: "5"), .read, .backOff(attempt: 2),
      ]),
    Story(
      testDescription: "fails when the first list does", inputs: [.failed(broken)], actions: [.list, .fail(broken)]),
    Story(
      testDescription: "fails when the right is taken away",
      inputs: [.listed("5"), .failed(status(403))],
      actions: [.list, .watch(resourceVersion: "5"), .fail(status(403))]),
    Story(
      testDescription: "fails when the resource is gone",
      inputs: [.listed("5"), .opened, .error(404)],
      actions: [.list, .watch(resourceVersion: "5"), .read, .fail(status(404))]),
  ]

  @Test(arguments: stories)
  func `A watch lists, resumes, backs off or fails as each event requires`(_ story: Story) {
    var machine = WatchStateMachine()
    var actions = [machine.next()]
    for input in story.inputs {
      switch input {
      case .listed(let version): machine.listed(resourceVersion: version)
      case .opened: machine.opened()
      case .event(let version):
        let event = machine.received(.event(.added([:]), resourceVersion: version), context: "c", words: "watch")
        #expect(event == .added([:]))
      case .bookmark(let version):
        #expect(machine.received(.bookmark(resourceVersion: version), context: "c", words: "watch") == nil)
      case .error(let code):
        let status = APIStatus(code: code, message: "x")
        #expect(machine.received(.error(status), context: "c", words: "watch") == nil)
      case .ended(let wasLong): machine.ended(wasLong: wasLong)
      case .failed(let error): machine.failed(error)
      }
      actions.append(machine.next())
    }
    #expect(actions == story.actions)
  }
}

@Suite("Watch lines")
struct WatchLineTests {
  private static func object(_ version: String) -> JSONValue { ["metadata": ["resourceVersion": .string(version)]] }

  @Test(
    arguments: [
      (["type": "ADDED", "object": object("1")], .event(.added(KubeObject(object("1"))), resourceVersion: "1")),
      (["type": "MODIFIED", "object": object("2")], .event(.modified(KubeObject(object("2"))), resourceVersion: "2")),
      (["type": "DELETED", "object": object("3")], .event(.deleted(KubeObject(object("3"))), resourceVersion: "3")),
      (["type": "BOOKMARK", "object": object("4")], .bookmark(resourceVersion: "4")),
      (
        ["type": "ERROR", "object": statusObject(410, reason: "Expired", message: "too old")],
        .error(APIStatus(code: 410, reason: "Expired", message: "too old"))
      ),
      (["type": "ADDED", "object": [:]], nil),
      (["type": "STRANGE", "object": object("5")], nil),
      (["type": "ERROR", "object": object("6")], nil),
      ([:], nil),
    ] as [(JSONValue, WatchLine?)])
  func `A watch line is parsed as an event, a bookmark or an error, and nothing else`(
    line: JSONValue, expected: WatchLine?
  ) {
    #expect(WatchLine(line) == expected)
  }

  @Test(arguments: 1...12)
  func `The lines of a watch are found wherever its chunks end`(size: Int) {
    let text = Array("{\"a\":1}\n\n{\"é\":\"\\n\"}\n{}\nrest".utf8)
    var framer = LineFramer()
    var lines: [String] = []
    for start in stride(from: 0, to: text.count, by: size) {
      framer.append(ByteBuffer(bytes: text[start..<min(start + size, text.count)]))
      while let line = framer.next() { lines.append(String(decoding: line, as: UTF8.self)) }
    }
    #expect(lines == ["{\"a\":1}", "{\"é\":\"\\n\"}", "{}"])
    #expect(framer.pendingCount == 4)
  }
}
