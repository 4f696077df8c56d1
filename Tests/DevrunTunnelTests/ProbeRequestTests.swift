import Testing

@testable import DevrunAgent

@Suite("Requests of probes") struct ProbeRequestTests {
  @Test(arguments: [
    ("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n", ProbeRequest.Outcome.http(path: "/ready")),
    ("HEAD /alive?x=1 HTTP/1.0\r\n\r\n", .http(path: "/alive")),
    ("GET /ready HTTP/1.1\r\nHost: a\r\n", .needsMore),
    ("", .needsMore),
    ("PRI * HTTP/2.0\r\n", .needsMore),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nx", .http2(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nx".utf8))),
    ("PRI * HTTP/3.0\r\n\r\n", .invalid),
    ("POST /ready HTTP/1.1\r\n\r\n", .invalid),
    ("nonsense\r\n\r\n", .invalid),
    ("\r\n\r\n", .invalid),
  ])
  func `A request is told by its first bytes, at once or byte by byte`(text: String, expected: ProbeRequest.Outcome) {
    var whole = ProbeRequest()
    #expect(whole.receive(Array(text.utf8)) == expected)
    var single = ProbeRequest()
    var outcome = ProbeRequest.Outcome.needsMore
    for byte in text.utf8 where outcome == .needsMore { outcome = single.receive([byte]) }
    if case .http2 = expected {
      #expect(outcome == .http2(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)))
    } else {
      #expect(outcome == expected)
    }
  }

  @Test func `A request that has no end is refused`() {
    var request = ProbeRequest()
    #expect(request.receive([UInt8](repeating: 65, count: 2 << 10)) == .needsMore)
    #expect(request.receive([65]) == .invalid)
  }

  @Test(arguments: 1...5) func `An end that comes in pieces is found`(size: Int) {
    var request = ProbeRequest()
    let bytes = Array("GET /ready HTTP/1.1\r\nA: b\r\n\r\n".utf8)
    var outcomes: [ProbeRequest.Outcome] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      outcomes.append(request.receive(bytes[start..<min(start + size, bytes.count)]))
    }
    #expect(outcomes.dropLast().allSatisfy { $0 == .needsMore } && outcomes.last == .http(path: "/ready"))
  }

  @Test(
    arguments: [
      ([0, 0, 0, 0, 7, 0x0a, 5] + Array("ready".utf8), true),
      ([0, 0, 0, 0, 7, 0x0a, 5] + Array("alive".utf8), false),
      ([0, 0, 0, 0, 0], false),
      ([], false),
    ] as [([UInt8], Bool)])
  func `A health check asks for readiness only by that name`(message: [UInt8], expected: Bool) {
    #expect(GRPCHealth.asksForReadiness(message) == expected)
  }
}
