import DevrunConfig
import DevrunCore
import Testing

@testable import DevrunSession

@Suite("Agent in a pod template")
struct AgentTemplateTests {
  static let original: JSONValue = [
    "metadata": ["labels": ["app": "web"]],
    "spec": [
      "initContainers": [["name": "init", "image": "i"]],
      "containers": [
        ["name": "side", "image": "s"],
        [
          "name": "app", "image": "a", "command": ["run"], "args": ["x"], "env": [["name": "V", "value": "1"]],
          "resources": ["limits": ["memory": "32Mi"]], "securityContext": ["runAsUser": 1234],
          "volumeMounts": [["name": "config", "mountPath": "/etc/app"]],
          "lifecycle": ["preStop": ["exec": ["command": ["bye"]]]],
          "livenessProbe": ["httpGet": ["path": "/", "port": 80]],
        ],
      ],
      "volumes": [["name": "config", "configMap": ["name": "c"]]],
    ],
  ]

  static let agent = AgentTemplate(
    session: "s1", container: "app",
    payload: PayloadConfigMaps(loader: "l", pieces: ["p0", "p1"], architecture: "amd64"), controlPort: 20_001,
    arguments: ["--port", "80"])

  @Test func `The agent takes the container's place and leaves the rest of the template unchanged`() throws {
    let template = try Self.agent.applied(to: Self.original)
    let containers = try #require(template["spec"]?["containers"]?.array)
    let before = try #require(Self.original["spec"]?["containers"]?.array)
    #expect(containers[0] == before[0])
    #expect(containers[1]["command"]?.array?.first == "/.devrun/loader")
    #expect(containers[1]["args"] == ["--port", "80"])
    for name in ["name", "image", "env", "resources", "securityContext"] {
      #expect(containers[1][name] == before[1][name])
    }
    #expect(containers[1]["lifecycle"] == nil)
    #expect(containers[1]["livenessProbe"]?["exec"] != nil)
    #expect(containers[1]["livenessProbe"]?["httpGet"] == nil)
    #expect(containers[1]["startupProbe"] == nil)
    #expect(containers[1]["readinessProbe"]?["exec"] != nil)
    #expect(containers[1]["volumeMounts"]?.array?.first == ["name": "config", "mountPath": "/etc/app"])
    #expect(template["spec"]?["initContainers"] == Self.original["spec"]?["initContainers"])
    #expect(template["metadata"]?["labels"] == ["app": "web"])
    #expect(template["metadata"]?["annotations"] == ["devrun.dev/session": "s1"])
    #expect(template["spec"]?["nodeSelector"] == ["kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"])
  }

  @Test func `The agent can be undone without a trace, and changes by others stay`() throws {
    let template = try Self.agent.applied(to: Self.original)
    #expect(ThreeWayMerge.undo(original: Self.original, changed: template, current: template) == Self.original)
    var touched = template
    touched["metadata"]?["annotations"]?["team"] = "blue"
    var expected = Self.original
    expected["metadata"]?["annotations"] = ["team": "blue"]
    #expect(ThreeWayMerge.undo(original: Self.original, changed: template, current: touched) == expected)
  }

  @Test func `The agent is refused for a missing container and for another architecture`() throws {
    var agent = Self.agent
    agent.container = "apps"
    #expect(throws: SessionError.noSuchContainer("apps", available: ["side", "app"])) {
      try agent.applied(to: Self.original)
    }
    var arm = Self.original
    arm["spec"]?["nodeSelector"] = ["kubernetes.io/arch": "arm64"]
    #expect(throws: SessionError.otherArchitecture(wanted: "arm64", payload: "amd64")) {
      try Self.agent.applied(to: arm)
    }
  }
}

@Suite("Choice of the container")
struct ContainerChoiceTests {
  static func container(_ name: String, _ ports: Int64...) -> JSONValue {
    ["name": .string(name), "ports": .array(ports.map { ["containerPort": .int($0), "name": .string("p\($0)")] })]
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var containers: [JSONValue]
    var named: String?
    var ports: [PortMapping] = []
    var servicePorts: [JSONValue] = []
    var expected: ContainerChoice
  }

  static func mapping(_ ports: UInt16...) -> [PortMapping] { ports.map { PortMapping(remote: $0, local: $0) } }

  static let cases = [
    Case(
      testDescription: "the only one", containers: [container("app", 80, 81)],
      expected: ContainerChoice(name: "app", ports: mapping(80, 81))),
    Case(
      testDescription: "the named one", containers: [container("a", 80), container("b", 90)], named: "b",
      expected: ContainerChoice(name: "b", ports: mapping(90))),
    Case(
      testDescription: "the one that serves an asked port", containers: [container("a", 80), container("b", 90)],
      ports: [PortMapping(remote: 90, local: 9000)],
      expected: ContainerChoice(name: "b", ports: [PortMapping(remote: 90, local: 9000)])),
    Case(
      testDescription: "the one that a Service leads to, by the port's name",
      containers: [container("a", 80), container("b", 90)], servicePorts: ["p90"],
      expected: ContainerChoice(name: "b", ports: mapping(90))),
    Case(
      testDescription: "the only one that is no known sidecar",
      containers: [container("istio-proxy", 15001), container("app")],
      expected: ContainerChoice(name: "app", ports: [])),
    Case(
      testDescription: "a Service's port that the container does not declare", containers: [container("app")],
      servicePorts: [8080], expected: ContainerChoice(name: "app", ports: mapping(8080))),
  ]

  @Test(arguments: cases)
  func `The container is chosen by name, by ports, or as the only one that is no sidecar`(_ row: Case) throws {
    let choice = try ContainerChoice.choose(
      named: row.named, ports: row.ports, servicePorts: row.servicePorts,
      podSpec: ["containers": .array(row.containers)])
    #expect(choice == row.expected)
  }

  @Test func `Several possible containers are an error that lists them`() {
    #expect(throws: SessionError.ambiguousContainer(available: ["a", "b"])) {
      try ContainerChoice.choose(
        named: nil, ports: [], servicePorts: [],
        podSpec: ["containers": [Self.container("a", 80), Self.container("b", 90)]])
    }
  }

  @Test func `The choice of a container leaves out UDP ports`() throws {
    let spec: JSONValue = [
      "containers": [["name": "dns", "ports": [["containerPort": 53, "protocol": "UDP"], ["containerPort": 8053]]]]
    ]
    let choice = try ContainerChoice.choose(named: nil, ports: [], servicePorts: [], podSpec: spec)
    #expect(choice.ports == Self.mapping(8053))
  }
}
