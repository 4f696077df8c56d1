import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Agent in a pod template")
struct AgentTemplateTests {
  static let original: KubeObject = [
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
    payload: PayloadConfigMaps(loader: "l", pieces: ["p0", "p1"], architecture: "amd64"),
    access: AgentPorts(control: 20_001, probe: 20_002, ready: 20_003), secretDigest: "ab", ports: [80])

  @Test func `The agent takes the container's place and leaves the rest of the template unchanged`() throws {
    let template = try Self.agent.applied(to: Self.original)
    let containers = template.containers.map(\.json)
    let before = Self.original.containers.map(\.json)
    #expect(containers[0] == before[0])
    #expect(
      containers[1]["command"] == [
        "/.devrun/loader", "run", "/.devrun-run", "/.devrun", "--", "--control-port", "20001", "--secret-sha256", "ab",
        "--port", "80", "--probe-port", "20002", "--",
      ])
    for name in ["name", "image", "args", "env", "resources", "securityContext"] {
      #expect(containers[1][name] == before[1][name])
    }
    #expect(containers[1]["lifecycle"] == nil)
    #expect(containers[1]["volumeMounts"]?.array?.first == ["name": "config", "mountPath": "/etc/app"])
    #expect(template.spec["initContainers"] == Self.original.spec["initContainers"])
    #expect(template.labels == ["app": "web"])
    #expect(template.annotations == ["devrun.dev/session": "s1"])
    #expect(template.spec["nodeSelector"] == ["kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"])
  }

  @Test func `Ports that the agent can go without are named as such`() throws {
    var agent = Self.agent
    agent.portsAreOptional = true
    let command = try agent.applied(to: Self.original).container(named: "app")?.json["command"]?.array ?? []
    #expect(!command.contains("--port"))
    let place = try #require(command.firstIndex(of: "--optional-port"))
    #expect(command[place + 1] == "80")
  }

  @Test func `A container without arguments and probes gets none`() throws {
    let template = try Self.agent.applied(to: ["spec": ["containers": [["name": "app"]]]])
    let container = try #require(template.container(named: "app")).json
    for name in ["args", "readinessProbe", "livenessProbe", "startupProbe"] { #expect(container[name] == nil) }
    let command = container["command"]?.array?.compactMap(\.string) ?? []
    #expect(command.suffix(3) == ["--port", "80", "--"])
  }

  @Test func `The agent can be undone without a trace, and changes by others stay`() throws {
    let (original, template) = (Self.original.json, try Self.agent.applied(to: Self.original))
    #expect(ThreeWayMerge.undo(original: original, changed: template.json, current: template.json) == original)
    var touched = template
    touched.annotations["team"] = "blue"
    var expected = Self.original
    expected.annotations = ["team": "blue"]
    #expect(
      ThreeWayMerge.undo(original: original, changed: template.json, current: touched.json) == expected.json)
  }

  @Test func `The agent is refused for a missing container and for another architecture`() throws {
    var agent = Self.agent
    agent.container = "apps"
    #expect(throws: WorkloadError.noSuchContainer("apps", available: ["side", "app"])) {
      try agent.applied(to: Self.original)
    }
    var arm = Self.original
    arm.spec["nodeSelector"] = ["kubernetes.io/arch": "arm64"]
    #expect(throws: WorkloadError.otherArchitecture(wanted: "arm64", payload: "amd64")) {
      try Self.agent.applied(to: arm)
    }
  }
}
