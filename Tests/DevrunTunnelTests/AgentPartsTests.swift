import DevrunCore
import Testing

@testable import DevrunAgent

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
