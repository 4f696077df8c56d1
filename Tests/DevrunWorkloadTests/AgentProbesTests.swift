import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Probes of a container with the agent") struct AgentProbesTests {
  private static let access = AgentPorts(control: 20_001, probe: 20_002, ready: 20_003)

  private static func probes(_ container: JSONValue) -> AgentProbes {
    AgentProbes(replacing: Container(container), access: access)
  }

  private static let kinds: [(name: String, probe: JSONValue)] = [
    (
      "httpGet",
      [
        "httpGet": [
          "path": "/health", "port": "web", "scheme": "HTTPS", "host": "example.com",
          "httpHeaders": [["name": "A", "value": "b"]],
        ], "periodSeconds": 7,
      ]
    ),
    ("tcpSocket", ["tcpSocket": ["port": 80, "host": "example.com"]]),
    ("grpc", ["grpc": ["port": 80, "service": "web"]]),
    ("exec", ["exec": ["command": ["true"]]]),
  ]

  @Test(
    arguments: [
      ("httpGet", ["path": "/ready", "port": 20_002, "scheme": "HTTP"]),
      ("tcpSocket", ["port": 20_003]),
      ("grpc", ["port": 20_002, "service": "ready"]),
      ("exec", ["command": ["/.devrun/loader", "ready", "/.devrun-run/ready"]]),
    ] as [(String, JSONValue)])
  func `A readiness probe keeps its kind and asks for the tunnel`(kind: String, handler: JSONValue) throws {
    let own = try #require(Self.kinds.first { $0.name == kind }).probe
    let probe = try #require(Self.probes(["readinessProbe": own]).probes["readinessProbe"])
    #expect(Set(probe.object?.keys ?? [:].keys).intersection(Self.kinds.map(\.name)) == [kind])
    #expect(probe[kind] == handler)
  }

  @Test(
    arguments: [
      ("httpGet", ["path": "/alive", "port": 20_002, "scheme": "HTTP"]),
      ("tcpSocket", ["port": 20_002]),
      ("grpc", ["port": 20_002, "service": "alive"]),
      ("exec", ["command": ["/.devrun/loader", "alive", "20001"]]),
    ] as [(String, JSONValue)])
  func `Liveness and startup probes keep their kind and ask for the agent`(kind: String, handler: JSONValue) throws {
    let own = try #require(Self.kinds.first { $0.name == kind }).probe
    let probes = Self.probes(["livenessProbe": own, "startupProbe": own]).probes
    #expect(probes["livenessProbe"]?[kind] == handler)
    #expect(probes["startupProbe"]?[kind] == handler)
    #expect(probes["readinessProbe"] == nil)
  }

  @Test func `Each field that the API server has a default for is written out`() throws {
    for (_, own) in Self.kinds {
      let probes = Self.probes(["readinessProbe": own, "livenessProbe": own, "startupProbe": own]).probes
      #expect(probes.count == 3)
      for probe in probes.values {
        for field in ["timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
          #expect(probe[field]?.int != nil)
        }
      }
    }
  }

  @Test func `A process is started every second only until a tunnel is attached`() throws {
    let exec: JSONValue = ["exec": ["command": ["true"]]]
    for container: JSONValue in [["readinessProbe": exec], ["readinessProbe": exec, "startupProbe": exec]] {
      let probes = Self.probes(container).probes
      #expect(probes["startupProbe"]?[path: "exec", "command"] == probes["readinessProbe"]?[path: "exec", "command"])
      #expect(probes["startupProbe"]?["periodSeconds"] == 1)
      #expect((probes["startupProbe"]?["failureThreshold"]?.int ?? 0) >= 600)
      #expect((probes["readinessProbe"]?["periodSeconds"]?.int ?? 0) >= 10)
    }
    let kept = Self.probes(["readinessProbe": exec, "startupProbe": ["tcpSocket": ["port": 80]]]).probes
    #expect(kept["startupProbe"]?["tcpSocket"] == ["port": 20_003], "the kind stays, the question is readiness")
    #expect(kept["startupProbe"]?["exec"] == nil)
    let network = Self.probes(["readinessProbe": ["tcpSocket": ["port": 80]]]).probes
    #expect(network["readinessProbe"]?["periodSeconds"] == 1)
    #expect(network["startupProbe"] == nil)
  }

  @Test(arguments: [(0, 60), (20, 60), (300, 300)])
  func `A liveness probe leaves a slow container its time to start`(own: Int, expected: Int) {
    let probe: JSONValue = ["httpGet": ["port": 80], "initialDelaySeconds": .int(Int64(own))]
    let initialDelay = Self.probes(["livenessProbe": probe]).probes["livenessProbe"]?["initialDelaySeconds"]
    #expect(initialDelay?.int == expected)
  }

  @Test func `The agent gets the options that its probes need and no other`() {
    let http: JSONValue = ["httpGet": ["port": 80]]
    let tcp: JSONValue = ["tcpSocket": ["port": 80]]
    let exec: JSONValue = ["exec": ["command": ["true"]]]
    #expect(Self.probes([:]).options == [])
    #expect(Self.probes(["readinessProbe": http]).options == [.probePort])
    #expect(Self.probes(["readinessProbe": tcp]).options == [.readyPort])
    #expect(Self.probes(["readinessProbe": tcp, "livenessProbe": tcp]).options == [.readyPort, .probePort])
    #expect(Self.probes(["readinessProbe": exec]).options == [.readyFile])
    #expect(Self.probes(["livenessProbe": exec]).options == [])
  }

  @Test func `The agent's ports differ and are none that a container declares`() {
    let declared = (20_000..<30_000).filter { $0 % 1000 >= 5 }
    let template: KubeObject = [
      "spec": [
        "containers": [
          ["name": "app", "ports": .array(declared.map { ["containerPort": .int(Int64($0))] })]
        ]
      ]
    ]
    for _ in 0..<100 {
      let ports = AgentPorts.random(avoiding: template)
      let all: Set = [ports.control, ports.probe, ports.ready]
      #expect(all.count == 3)
      #expect(all.allSatisfy { $0 % 1000 < 5 && (20_000..<30_000).contains($0) })
    }
  }
}
