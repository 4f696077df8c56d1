import DevrunConfig
import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

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
    var annotations: [String: String] = [:]
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
    Case(
      testDescription: "a Service's port that another container declares",
      containers: [container("app"), container("istio-proxy", 15001)], named: "app",
      servicePorts: [8080, 15001, "p15001"], expected: ContainerChoice(name: "app", ports: mapping(8080))),
    Case(
      testDescription: "a Service's port that the container declares too", containers: [container("app", 80, 81)],
      servicePorts: ["p81", 80, 9090], expected: ContainerChoice(name: "app", ports: mapping(80, 81, 9090))),
    Case(
      testDescription: "the one that the annotation names", containers: [container("a", 80), container("b", 90)],
      annotations: ["kubectl.kubernetes.io/default-container": "b"],
      expected: ContainerChoice(name: "b", ports: mapping(90))),
    Case(
      testDescription: "the one that the annotation for logs names, where the other one names none",
      containers: [container("a", 80), container("b", 90)],
      annotations: [
        "kubectl.kubernetes.io/default-container": "gone", "kubectl.kubernetes.io/default-logs-container": "b",
      ], expected: ContainerChoice(name: "b", ports: mapping(90))),
    Case(
      testDescription: "the one that serves an asked port, whatever the annotation",
      containers: [container("a", 80), container("b", 90)], ports: mapping(80),
      annotations: ["kubectl.kubernetes.io/default-container": "b"],
      expected: ContainerChoice(name: "a", ports: mapping(80))),
    Case(
      testDescription: "the named one, whatever the annotation", containers: [container("a", 80), container("b", 90)],
      named: "a", annotations: ["kubectl.kubernetes.io/default-container": "b"],
      expected: ContainerChoice(name: "a", ports: mapping(80))),
    Case(
      testDescription: "the app behind a sidecar that the Service leads to",
      containers: [container("app", 8080), container("oauth2-proxy", 4180)], servicePorts: ["p4180"],
      expected: ContainerChoice(name: "app", ports: mapping(8080))),
    Case(
      testDescription: "the sidecar that the Service leads to, beside two apps",
      containers: [container("a", 80), container("b", 90), container("envoy", 8443)], servicePorts: [8443],
      expected: ContainerChoice(name: "envoy", ports: mapping(8443))),
    Case(
      testDescription: "the proxy that the Service leads to, beside a helper without ports",
      containers: [container("shutdown-manager"), container("envoy", 8443)], servicePorts: [8443],
      expected: ContainerChoice(name: "envoy", ports: mapping(8443))),
    Case(
      testDescription: "the only one, though its name is a sidecar's", containers: [container("envoy")],
      expected: ContainerChoice(name: "envoy", ports: [])),
    Case(
      testDescription: "the only one whose image is no known sidecar's",
      containers: [
        ["name": "sql", "image": "eu.gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.1@sha256:00"],
        ["name": "web", "image": "localhost:5000/shop/web:1"],
      ], expected: ContainerChoice(name: "web", ports: [])),
  ]

  @Test(arguments: [
    "cloud-sql-proxy", "oauth2-proxy", "vault-agent", "istio-proxy", "linkerd-proxy", "envoy", "daprd", "fluent-bit",
    "otc-container", "kube-rbac-proxy",
  ])
  func `A container beside a known sidecar is chosen, also where both declare ports`(sidecar: String) throws {
    let choice = try ContainerChoice.choose(
      named: nil, ports: [], servicePorts: [],
      template: ["spec": ["containers": [Self.container(sidecar, 9000), Self.container("app", 80)]]])
    #expect(choice == ContainerChoice(name: "app", ports: Self.mapping(80)))
  }

  @Test(arguments: cases)
  func `The container is chosen by name, by ports, or as the only one that is no sidecar`(_ row: Case) throws {
    let choice = try ContainerChoice.choose(
      named: row.named, ports: row.ports, servicePorts: row.servicePorts,
      template: [
        "metadata": ["annotations": .object(row.annotations.mapValues(JSONValue.string))],
        "spec": ["containers": .array(row.containers)],
      ])
    #expect(choice == row.expected)
  }

  @Test func `Several possible containers are an error that lists them`() {
    #expect(throws: WorkloadError.ambiguousContainer(available: ["a", "b"])) {
      try ContainerChoice.choose(
        named: nil, ports: [], servicePorts: [],
        template: ["spec": ["containers": [Self.container("a", 80), Self.container("b", 90)]]])
    }
  }

  @Test func `The choice of a container leaves out UDP ports`() throws {
    let template: KubeObject = [
      "spec": [
        "containers": [["name": "dns", "ports": [["containerPort": 53, "protocol": "UDP"], ["containerPort": 8053]]]]
      ]
    ]
    let choice = try ContainerChoice.choose(named: nil, ports: [], servicePorts: [], template: template)
    #expect(choice.ports == Self.mapping(8053))
  }

  @Test func `A port that is given twice is refused`() {
    let ports = [PortMapping(remote: 80, local: 8080), PortMapping(remote: 80, local: 9090)]
    #expect(throws: WorkloadError.portTwice(80)) {
      try ContainerChoice.choose(
        named: nil, ports: ports, servicePorts: [], template: ["spec": ["containers": [Self.container("a", 80)]]])
    }
  }

  /// `-t service/web`, while another Service leads to the other container.
  @Test func `The Service that names a workload chooses the container, and every Service adds ports`() throws {
    var workload = Workload(
      object: ["spec": ["template": ["spec": ["containers": [Self.container("a", 80), Self.container("b", 90)]]]]])
    workload.namingPorts = [90]
    workload.servicePorts = [90, 80, 8080]
    let choice = try ContainerChoice.choose(named: nil, ports: [], in: workload)
    #expect(choice == ContainerChoice(name: "b", ports: Self.mapping(90, 8080)))
  }

  @Test(
    arguments: [
      (["app": "web"], [8080]), (["app": "web", "tier": "x"], []), (["app": "other"], []), ([:], []), (nil, []),
    ] as [([String: String]?, [JSONValue])])
  func `Services that select the pods bring their target ports`(selector: [String: String]?, expected: [JSONValue]) {
    var service: KubeObject = [
      "spec": ["ports": [["port": 80, "targetPort": 8080], ["port": 53, "protocol": "UDP", "targetPort": 5353]]]
    ]
    service.spec["selector"] = selector.map { .object($0.mapValues(JSONValue.string)) }
    let template: KubeObject = ["metadata": ["labels": ["app": "web", "version": "1"]]]
    #expect(ServiceTarget.targetPorts(of: [service], selecting: template) == expected)
  }

  @Test func `A Service's port without a target port is the pods' port`() {
    #expect(ServiceTarget.targetPorts(of: ["spec": ["ports": [["port": 80]]]]) == [80])
  }
}
