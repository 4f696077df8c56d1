import DevrunCore
import DevrunKube
import Testing

@testable import Minicluster

/// The environment of containers.
struct KubeletEnvironmentTests {
  private static let map: KubeObject = ["data": ["a": "1", "b.txt": "hello\n", "9": "x"]]
  private static let secret: KubeObject = ["data": ["user": "bWU="]]
  private static let service: KubeObject = [
    "kind": "Service", "metadata": ["name": "my-svc", "namespace": "team"],
    "spec": [
      "clusterIP": "10.98.0.7",
      "ports": [["name": "http", "port": 80], ["name": "two-x", "port": 90, "protocol": "UDP"]],
    ],
  ]

  private func pod(_ container: JSONValue, _ spec: JSONValue = [:]) -> KubeObject {
    var pod: KubeObject = [
      "kind": "Pod",
      "metadata": [
        "name": "p", "namespace": "team", "uid": "u-1", "labels": ["app": "web"], "annotations": ["x/y": "z"],
      ],
      "spec": spec,
    ]
    pod.spec["containers"] = [container]
    pod.spec["nodeName"] = "minicluster"
    return pod
  }

  private func environment(
    _ container: JSONValue, _ spec: JSONValue = [:], services: [KubeObject] = []
  ) throws(ContainerConfigError) -> PodEnvironment.Result {
    let pod = pod(container, spec)
    let fields = PodFields(
      pod: pod, podIP: "10.97.0.2", hostIP: "10.97.0.1",
      capacity: NodeCapacity(cpu: 2, memory: 1 << 30, ephemeralStorage: 1 << 40))
    return try PodEnvironment(
      fields: fields, services: services, configMap: { $0 == "cm" ? Self.map : nil },
      secret: { $0 == "sec" ? Self.secret : nil }
    ).environment(of: pod.containers[0])
  }

  @Test(arguments: [
    ("plain", "plain"), ("$(A)b", "1b"), ("$(NO)", "$(NO)"), ("$$(A)", "$(A)"), ("$", "$"), ("$(A", "$(A"),
    ("a$$b$c", "a$b$c"), ("$(A)$(A)", "11"),
  ]) func `A text is expanded as kubelet does`(text: String, expected: String) {
    #expect(text.expanded { $0 == "A" ? "1" : nil } == expected)
  }

  @Test func `A variable sees those before it, and services, but not those after it`() throws {
    let result = try environment(
      [
        "name": "main",
        "env": [
          ["name": "X", "value": "$(Y) $$(Z) $(A)"],
          ["name": "A", "valueFrom": ["configMapKeyRef": ["name": "cm", "key": "a"]]],
          ["name": "B", "value": "$(A)b$(NO) $(MY_SVC_SERVICE_HOST)"], ["name": "E", "value": ""],
        ],
      ], services: [Self.service])
    #expect(result.variables["X"] == "$(Y) $(Z) $(A)")
    #expect(result.variables["A"] == "1")
    #expect(result.variables["B"] == "1b$(NO) 10.98.0.7")
    #expect(result.variables["E"] == "")
  }

  @Test func `envFrom leaves keys out that are no names, with a warning, and env replaces its variables`() throws {
    let result = try environment([
      "name": "main", "env": [["name": "P_a", "value": "own"]],
      "envFrom": [
        ["configMapRef": ["name": "cm"], "prefix": "P_"], ["secretRef": ["name": "sec"]],
        ["configMapRef": ["name": "cm"]], ["configMapRef": ["name": "gone", "optional": true]],
      ],
    ])
    #expect(
      result.variables == ["P_a": "own", "P_b.txt": "hello\n", "P_9": "x", "user": "me", "a": "1", "b.txt": "hello\n"])
    #expect(
      result.warnings == [
        "Keys [9] from the EnvFrom configMap team/cm were skipped since they are considered invalid environment variable "
          + "names."
      ])
  }

  @Test(arguments: [
    ("metadata.name", "p"), ("metadata.namespace", "team"), ("metadata.uid", "u-1"), ("metadata.labels['app']", "web"),
    ("metadata.annotations['x/y']", "z"), ("metadata.labels['no']", ""), ("spec.nodeName", "minicluster"),
    ("status.podIP", "10.97.0.2"), ("status.hostIP", "10.97.0.1"), ("spec.serviceAccountName", "default"),
  ]) func `A variable quotes a field of the pod`(path: String, expected: String) throws {
    let container: JSONValue = [
      "name": "main", "env": [["name": "F", "valueFrom": ["fieldRef": ["fieldPath": .string(path)]]]],
    ]
    #expect(try environment(container, ["serviceAccountName": "default"]).variables["F"] == expected)
  }

  @Test(arguments: [
    ("limits.cpu", "0", "2"), ("requests.cpu", "1m", "100"), ("requests.cpu", "1", "1"),
    ("limits.memory", "1", "1073741824"),
    ("requests.memory", "1Mi", "10"), ("requests.memory", "1Gi", "1"), ("requests.ephemeral-storage", "1", "0"),
  ]) func `A variable quotes a resource, or the node's where there is no limit`(
    resource: String, divisor: String, expected: String
  ) throws {
    let container: JSONValue = [
      "name": "main", "resources": ["requests": ["cpu": "100m", "memory": "10Mi"]],
      "env": [
        [
          "name": "R",
          "valueFrom": ["resourceFieldRef": ["resource": .string(resource), "divisor": .string(divisor)]],
        ]
      ],
    ]
    #expect(try environment(container).variables["R"] == expected)
  }

  @Test(
    arguments: [
      (["configMapRef": ["name": "nope"]], nil, "configmap \"nope\" not found"),
      (["secretRef": ["name": "nope"]], nil, "secret \"nope\" not found"),
      (nil, ["configMapKeyRef": ["name": "cm", "key": "zz"]], "couldn't find key zz in ConfigMap team/cm"),
      (nil, ["secretKeyRef": ["name": "sec", "key": "zz"]], "couldn't find key zz in Secret team/sec"),
      (nil, ["secretKeyRef": ["name": "gone", "key": "zz"]], "secret \"gone\" not found"),
    ] as [(JSONValue?, JSONValue?, String)]) func `What is missing is named in kubelet's words, unless it is optional`(
      from: JSONValue?, value: JSONValue?, message: String
    ) throws
  {
    func container(_ isOptional: Bool) -> JSONValue {
      func marked(_ reference: JSONValue) -> JSONValue {
        var reference = reference
        for key in reference.object?.keys.sorted() ?? [] where isOptional { reference[key]?["optional"] = true }
        return reference
      }
      var container: JSONValue = ["name": "main"]
      if let from { container["envFrom"] = [marked(from)] }
      if let value { container["env"] = [["name": "V", "valueFrom": marked(value)]] }
      return container
    }
    #expect(throws: ContainerConfigError(message: message)) { _ = try environment(container(false)) }
    #expect(try environment(container(true)).variables.isEmpty)
  }

  @Test func `Services are in variables, links included`() throws {
    let result = try environment(["name": "main"], services: [Self.service])
    #expect(
      result.variables == [
        "MY_SVC_SERVICE_HOST": "10.98.0.7", "MY_SVC_SERVICE_PORT": "80", "MY_SVC_SERVICE_PORT_HTTP": "80",
        "MY_SVC_SERVICE_PORT_TWO_X": "90", "MY_SVC_PORT": "tcp://10.98.0.7:80",
        "MY_SVC_PORT_80_TCP": "tcp://10.98.0.7:80", "MY_SVC_PORT_80_TCP_PROTO": "tcp", "MY_SVC_PORT_80_TCP_PORT": "80",
        "MY_SVC_PORT_80_TCP_ADDR": "10.98.0.7", "MY_SVC_PORT_90_UDP": "udp://10.98.0.7:90",
        "MY_SVC_PORT_90_UDP_PROTO": "udp", "MY_SVC_PORT_90_UDP_PORT": "90", "MY_SVC_PORT_90_UDP_ADDR": "10.98.0.7",
      ])
  }

  @Test func `Without service links only the API server is in variables`() throws {
    let server: KubeObject = [
      "kind": "Service", "metadata": ["name": "kubernetes", "namespace": "default"],
      "spec": ["clusterIP": "10.98.0.1", "ports": [["name": "https", "port": 443]]],
    ]
    let result = try environment(["name": "main"], ["enableServiceLinks": false], services: [Self.service, server])
    #expect(result.variables["KUBERNETES_SERVICE_HOST"] == "10.98.0.1")
    #expect(result.variables["MY_SVC_SERVICE_HOST"] == nil)
  }

  @Test func `Labels in a file are quoted as Go does, in order`() {
    #expect(PodFields.lines(of: ["b": "1\"2\n3\u{1}ü", "a": "x"]) == "a=\"x\"\nb=\"1\\\"2\\n3\\x01ü\"")
  }
}
