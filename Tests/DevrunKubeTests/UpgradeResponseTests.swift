import NIOCore
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite("WebSocket upgrade responses")
struct UpgradeResponseTests {
  struct Answer: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    var reading: UpgradeResponse.Reading
    /// Whether the answer ends with the connection alone.
    var endsWithConnection = false
  }

  static let answers = [
    Answer(
      testDescription: "of consent", text: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX:y\r\n\r\n",
      reading: .switched(headers: ["Upgrade": "websocket", "X": "y"], rest: ByteBuffer())),
    Answer(
      testDescription: "with a length", text: "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello",
      reading: .refused(status: 403, body: Array("hello".utf8))),
    Answer(
      testDescription: "in chunks",
      text: "HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
      reading: .refused(status: 500, body: Array("abc0123456789".utf8))),
    Answer(
      testDescription: "until the connection ends", text: "HTTP/1.0 502 Bad Gateway\r\nX: y\r\n\r\nno upstream",
      reading: .refused(status: 502, body: Array("no upstream".utf8)), endsWithConnection: true),
    Answer(
      testDescription: "that is cut off", text: "HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\nhello",
      reading: .refused(status: 403, body: Array("hello".utf8)), endsWithConnection: true),
    Answer(
      testDescription: "without a body", text: "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
      reading: .refused(status: 404, body: [])),
    Answer(testDescription: "of another protocol", text: "SSH-2.0-x\r\n\r\n", reading: .invalid),
    Answer(testDescription: "with a broken header", text: "HTTP/1.1 200 OK\r\nnothing\r\n\r\n", reading: .invalid),
    Answer(testDescription: "of nothing", text: "", reading: .invalid, endsWithConnection: true),
    Answer(testDescription: "without an end", text: "HTTP/1.1 200 OK\r\n", reading: .invalid, endsWithConnection: true),
  ]

  @Test(arguments: answers)
  func `An upgrade response is read when it arrives in one piece`(_ answer: Answer) {
    var response = UpgradeResponse()
    var reading = response.receive(ByteBuffer(string: answer.text))
    #expect((reading == .incomplete) == answer.endsWithConnection)
    if reading == .incomplete { reading = response.receive(nil) }
    #expect(reading == answer.reading)
  }

  @Test(arguments: answers)
  func `An upgrade response is read when it arrives byte by byte`(_ answer: Answer) {
    var response = UpgradeResponse()
    var reading = UpgradeResponse.Reading.incomplete
    for byte in answer.text.utf8 where reading == .incomplete {
      reading = response.receive(ByteBuffer(bytes: [byte]))
    }
    if reading == .incomplete { reading = response.receive(nil) }
    #expect(reading == answer.reading)
  }

  @Test func `Bytes behind an upgrade response are left to the new protocol`() {
    var response = UpgradeResponse()
    let reading = response.receive(ByteBuffer(string: "HTTP/1.1 101 X\r\n\r\n\r\nrest"))
    #expect(reading == .switched(headers: [:], rest: ByteBuffer(string: "\r\nrest")))
  }

  @Test func `An endless upgrade response is refused in its head and cut off in its body`() {
    var head = UpgradeResponse()
    #expect(head.receive(ByteBuffer(string: "HTTP/1.1 " + String(repeating: "x", count: 70_000))) == .invalid)
    var body = UpgradeResponse()
    guard
      case .refused(500, let bytes) = body.receive(
        ByteBuffer(string: "HTTP/1.1 500 X\r\n\r\n" + String(repeating: "x", count: 70_000)))
    else {
      Issue.record("the body was not cut off")
      return
    }
    #expect(bytes.count == 65536)
  }
}
