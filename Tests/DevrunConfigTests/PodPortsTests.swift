import DevrunConfig
import DevrunCore
import Testing

@Suite("Ports of the pod's localhost")
struct PodPortsTests {
  private func ports(_ texts: String...) throws -> [PortMapping] { try texts.map(PortMapping.init(parsing:)) }

  @Test func `Two local ports may stand for one port of the pod, and each mapping counts once`() throws {
    let mappings = try PortMapping.podPorts(try ports("3500", "3500:13500", "3500"))
    #expect(mappings.map(\.description) == ["3500", "3500:13500"])
  }

  @Test func `A local port that is to stand for two ports of the pod is refused`() throws {
    let mappings = try ports("3500", "3501:3500")
    #expect(throws: PortMappingError.localTwice(3500, 3500, 3501)) { try PortMapping.podPorts(mappings) }
  }

  @Test func `A local port on which the command is expected to listen is refused`() throws {
    let (podPorts, redirected) = (try ports("3500:8080"), try ports("80:8080"))
    #expect(throws: PortMappingError.localOfCommand(podPorts[0], redirected: redirected[0])) {
      try PortMapping.check(podPorts: podPorts, beside: redirected)
    }
    try PortMapping.check(podPorts: podPorts, beside: try ports("8080:80"))
  }

  @Test(arguments: ["localhost", "LocalHost", "127.0.0.1", "127.8.8.8", "0.0.0.0"])
  func `An external endpoint on localhost is the pod's own, with each of its ports`(host: String) throws {
    let file = try KubernetesLocalProcessConfig.parse(
      Array(
        """
        version: 0.1
        env:
          - {name: DAPR, value: "http://$(externalendpoints:\(host):3500,50001)/"}
          - {name: AGAIN, value: "$(externalendpoints:\(host):3500)"}
          - {name: DB, value: "$(externalendpoints:db.example.com:1433)"}
        """.utf8), source: "b2k.yaml")
    #expect(file.podPorts == [PortMapping(remote: 3500), PortMapping(remote: 50001)])
    #expect(file.endpointReferences.map(\.isOfPod) == [true, true, false])
  }

  @Test func `devrun.yaml names ports of the pod and what is reached from its place`() throws {
    let file = try ProjectFile.parse(
      Array(
        """
        pod-ports: [3500, "5432:15432"]
        via-pod: ["${env.NODE_IP}:8126", 10.20.0.0/16]
        """.utf8), source: "/project/devrun.yaml")
    #expect(file.podPorts.map(\.description) == ["3500", "5432:15432"])
    #expect(file.viaPod.map(\.description) == ["${env.NODE_IP}:8126", "10.20.0.0/16"])
  }

  @Test(arguments: [("pod-ports: [http]", "'http' is no port"), ("via-pod: [a, localhost:80]", "--pod-port 80")])
  func `A mistake in devrun.yaml is reported with its place`(text: String, words: String) {
    let error = #expect(throws: (any Error).self) {
      try ProjectFile.parse(Array(text.utf8), source: "/project/devrun.yaml")
    }
    let message = error.map { "\($0)" } ?? ""
    #expect(message.contains("/project/devrun.yaml:1:") && message.contains(words), "\(message)")
  }
}
