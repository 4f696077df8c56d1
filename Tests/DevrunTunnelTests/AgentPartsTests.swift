import DevrunCore
import Testing

@testable import DevrunAgent
@testable import DevrunAgentAPI

@Suite struct AgentPartsTests {
  private static let digest = String(repeating: "ab", count: 32)

  @Test func `The agent's command line sets its ports, secret digest and ready file`() throws {
    let configuration = try AgentConfiguration(arguments: [
      "--control-port", "7777", "--secret-sha256", Self.digest, "--port", "80", "--port", "8080", "--ready-file", "/r",
    ])
    #expect(
      configuration
        == AgentConfiguration(controlPort: 7777, ports: [80, 8080], secretDigest: Self.digest, readyFile: "/r"))
  }

  @Test func `The agent's command line sets the ports that it can go without`() throws {
    let configuration = try AgentConfiguration(arguments: [
      "--control-port", "7777", "--secret-sha256", Self.digest, "--port", "8080", "--optional-port", "80",
    ])
    #expect(configuration.ports == [8080])
    #expect(configuration.optionalPorts == [80])
  }

  @Test(arguments: [[], [80], [80, 8080, 65535]] as [[UInt16]])
  func `Ports arrive as they were sent`(ports: [UInt16]) {
    #expect(PortList.decode(PortList.encode(ports)) == ports)
    #expect(PortList.decode(Array("80,,x,65536,-1,7".utf8)) == [80, 7])
  }

  @Test func `The agent ignores the app's arguments behind its own`() throws {
    let configuration = try AgentConfiguration(arguments: [
      "--control-port", "7777", "--secret-sha256", Self.digest, "--probe-port", "7778", "--ready-port", "7779", "--",
      "--port", "80", "serve", "--",
    ])
    #expect(
      configuration
        == AgentConfiguration(
          controlPort: 7777, ports: [], secretDigest: Self.digest, probePort: 7778, readyPort: 7779))
  }

  @Test func `Every signal that may stop a container ends the agent, and no other does`() {
    let ending = Set(TerminationSignals.ending)
    // Those that images name: SIGTERM, SIGINT, SIGQUIT (nginx), SIGWINCH (httpd), SIGUSR1, SIGRTMIN+3 (systemd), SIGPWR.
    #expect(ending.isSuperset(of: [15, 2, 3, 28, 10, 12, 1, 37, 30, 34, 64, 6, 14]))
    // SIGCHLD, SIGCONT, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSTOP
    #expect(ending.isDisjoint(with: [17, 18, 13, 11, 7, 8, 4, 9, 19]))
  }

  @Test(arguments: [
    [], ["--control-port", "1"], ["--secret-sha256", digest], ["--control-port"], ["--port", "0"], ["--port", "x"],
    ["--control-port", "65536"], ["--secret-sha256", "ab"], ["--unknown", "1"], ["80"],
  ])
  func `A wrong agent command line is refused with the status for wrong usage`(arguments: [String]) {
    let error = #expect(throws: AgentError.self) { try AgentConfiguration(arguments: arguments) }
    #expect(error?.exitStatus.rawValue == 64)
  }

  @Test func `The tunnel that was completed last is the current one`() {
    var table = AttachmentTable<String, String>()
    #expect(table.add(inbound: "in1", to: [1]) == nil)
    #expect(table.current == nil, "half a tunnel is none")
    #expect(table.add(outbound: "out1", to: [1]) == nil)
    #expect(table.current == "in1")
    #expect(table.add(outbound: "out2", to: [2]) == nil)
    #expect(table.current == "in1")
    #expect(table.add(inbound: "in2", to: [2]) == nil)
    #expect(table.current == "in2")
    #expect(table.add(inbound: "in2b", to: [2]) == "in2", "a connection that comes again takes the former's place")
    #expect(table.remove([2]) { _ in true }?.outbound == "out2")
    #expect(table.current == "in1")
    #expect(table.remove([1]) { $0.inbound == "other" } == nil)
    #expect(table.current == "in1")
    #expect(table.remove([3]) { _ in true } == nil)
  }
}
