import DevrunConfig
import DevrunCore
import DevrunPlan
import Testing

@testable import DevrunSession

@Suite("Words about listeners")
struct ListenWordsTests {
  private let ports = [PortMapping(remote: 80, local: 8080), PortMapping(remote: 81, local: 8081)]

  /// The texts of what is reported.
  private func texts(_ words: inout ListenWords, _ event: ListenEvent) -> [String] {
    words.reports(of: event).map { report in
      switch report {
      case .warning(let message): "warning: \(message.description)"
      case .waiting(let text): text
      case .detail(let text): "detail: \(text)"
      default: "\(report)"
      }
    }
  }

  @Test func `The first listener on a redirected port takes the traffic, and no later one does`() {
    var words = ListenWords(ports: ports, isTaken: false)
    let first = texts(&words, .began(port: 8081))
    #expect(first == ["detail: the command listens on port 8081"])
    let answers = [words.takesTraffic(), words.takesTraffic()]
    #expect(answers == [true, false])
    var taken = ListenWords(ports: ports, isTaken: true)
    let answer = taken.takesTraffic()
    #expect(!answer)
  }

  @Test func `An older listener is named, with the port that is to be given instead`() {
    var words = ListenWords(ports: ports, isTaken: false)
    let texts = texts(&words, .occupied(port: 8080, by: "nginx (pid 4711)"))
    #expect(texts.count == 1)
    #expect(texts[0].hasPrefix("warning: port 8080 is listened on already, by nginx (pid 4711)\n"))
    #expect(texts[0].hasSuffix("-p 80:PORT"))
    let unnamed = self.texts(&words, .occupied(port: 8081, by: nil))
    #expect(unnamed[0].contains("by another process"))
  }

  @Test func `A command that listens elsewhere gets one line with the option that redirects to it`() {
    var words = ListenWords(ports: ports, isTaken: false)
    let first = texts(&words, .elsewhere(port: 5000))
    #expect(first == ["the command listens on 5000; -p 80:5000 redirects 80 to it"])
    let second = texts(&words, .elsewhere(port: 5001))
    #expect(second == [])
  }

  @Test(arguments: [
    ("192.168.1.5", "192.168.1.5:8080"), ("127.0.0.2", "127.0.0.2:8080"), ("fd00::1", "[fd00::1]:8080"),
  ])
  func `A command that listens where connections to localhost do not arrive is told where to listen`(
    address: String, place: String
  ) {
    var words = ListenWords(ports: ports, isTaken: false)
    let reported = texts(&words, .unreachable(port: 8080, address: address))
    #expect(
      reported == [
        "the command listens on \(place), which connections to localhost do not reach; "
          + "let it listen on 127.0.0.1 or 0.0.0.0"
      ])
    _ = texts(&words, .began(port: 8081))
    let second = texts(&words, .unreachable(port: 8081, address: address))
    #expect(second == [])
  }

  @Test func `A command that listens on a redirected port gets no line about others`() {
    var words = ListenWords(ports: ports, isTaken: false)
    _ = texts(&words, .began(port: 8080))
    _ = words.takesTraffic()
    let taken = texts(&words, .elsewhere(port: 5000))
    #expect(taken == [])
    var without = ListenWords(ports: [], isTaken: false)
    let portless = texts(&without, .elsewhere(port: 5000))
    #expect(portless == [])
  }

  @Test(arguments: [(80 as UInt16, "-p 80:8080"), (443, "-p 8443:8443")])
  func `A port that is kept for root is reported with the option that takes another`(port: UInt16, option: String) {
    let ports = [PortMapping(remote: 80, local: 80), PortMapping(remote: 8443, local: 443)]
    var words = ListenWords(ports: ports, isTaken: false)
    let reported = texts(&words, .forbidden(port: port))
    #expect(reported.count == 1)
    #expect(reported[0].hasPrefix("warning: the command may not listen on port \(port)\n"))
    #expect(reported[0].hasSuffix(option))
  }
}
