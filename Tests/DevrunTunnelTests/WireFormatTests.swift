import DevrunCore
import DevrunSystem
import NIOHPACK
import Testing

@testable import DevrunTunnel

@Suite struct WireFormatTests {
  @Test(arguments: [
    ("myapp2:80", "myapp2", 80), ("10.0.0.1:65535", "10.0.0.1", 65535), ("[fd00::1]:443", "fd00::1", 443),
    ("a.b.svc.cluster.local:1", "a.b.svc.cluster.local", 1),
  ])
  func `An authority is read and written as a host and a port`(text: String, host: String, port: Int) {
    #expect(Authority(text) == Authority(host: host, port: port))
    #expect(Authority(host: host, port: port).description == text)
  }

  @Test(arguments: [
    "", "host", "host:", ":80", "host:0", "host:65536", "host:-1", "host:+1", "fd00::1:80", "[]:80", "h:8a",
  ])
  func `A text that is not an authority is refused`(text: String) {
    #expect(Authority(text) == nil)
  }

  @Test(arguments: [
    DialFailure.connect(.connectionReset), .connect(.timedOut), .nameNotFound, .nameUnavailable,
    .refused("port 80 is not redirected"),
  ])
  func `A dial failure is read back from its headers`(failure: DialFailure) {
    #expect(DialFailure(headers: failure.headers) == failure)
  }

  @Test func `A response without a known failure is read as a refusal`() {
    #expect(DialFailure(headers: [":status": "500"]) == .refused("the response was 500"))
    #expect(
      DialFailure(headers: [":status": "502", "devrun-failure": "errno zero"]) == .refused("the response was 502"))
  }

  @Test(arguments: [
    StreamRequest.connect(Authority(host: "::1", port: 80)), .get(path: "/environment", query: [:]),
    .get(path: "/volumes", query: ["path": Array("/a b/ü&=%?/c".utf8) + [0xff, 0]]),
  ])
  func `A stream request is read back from its headers`(request: StreamRequest) {
    #expect(StreamRequest(headers: request.headers) == request)
  }

  @Test func `A stream request with a broken percent escape is unknown`() {
    let request = StreamRequest(headers: [":method": "GET", ":path": "/volumes?path=%zz"])
    #expect(request == .unknown("GET with the query 'path=%zz'"))
  }

  @Test func `Every dial error maps to an errno`() {
    #expect(DialError.failed(.connect(.timedOut)).errno == .timedOut)
    #expect(DialError.failed(.nameNotFound).errno == .hostUnreachable)
    #expect(DialError.failed(.nameUnavailable).errno == .hostUnreachable)
    #expect(DialError.failed(.refused("no")).errno == .accessDenied)
    #expect(DialError.tunnelClosed.errno == .networkUnreachable)
  }
}
