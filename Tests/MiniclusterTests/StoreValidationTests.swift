import DevrunCore
import DevrunKube
import Testing

@testable import Minicluster

@Suite("Validation in the minicluster")
struct StoreValidationTests {
  private let store = ObjectStore()

  private static let label =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    + "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

  private func message(_ body: () throws -> Void) -> String? {
    #expect(throws: APIFailure.self, performing: body)?.status.message
  }

  private func messages(_ object: KubeObject, _ kind: ObjectKind) -> [String] {
    let failure = #expect(throws: APIFailure.self) { try store.create(object, of: kind, by: "test") }
    #expect(failure?.status.code == 422)
    return (failure?.status.causes ?? []).map { "\($0.field): \($0.message)" }
  }

  @Test func `An invalid object is refused with its group, kind, and one cause for each field`() {
    var deployment = StoreFixture.deployment("web", replicas: -1)
    let failure = #expect(throws: APIFailure.self) { try store.create(deployment, of: .deployment, by: "test") }
    #expect(
      failure?.json == [
        "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "reason": "Invalid", "code": 422,
        "message":
          "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        "details": [
          "name": "web", "group": "apps", "kind": "Deployment",
          "causes": [
            [
              "reason": "FieldValueInvalid", "field": "spec.replicas",
              "message": "Invalid value: -1: must be greater than or equal to 0",
            ]
          ],
        ],
      ])
    deployment.spec["selector"] = nil
    #expect(
      message { try store.create(deployment, of: .deployment, by: "test") }
        == "Deployment.apps \"web\" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, "
        + "spec.selector: Required value, spec.template.metadata.labels: Invalid value: "
        + "map[string]string{\"app\":\"web\"}: `selector` does not match template `labels`]")
  }

  @Test func `A pod's problems are reported in the words of the API server`() {
    let pod: KubeObject = [
      "metadata": ["name": "UPPER", "labels": ["x": "a b"], "annotations": ["!": "x"]],
      "spec": [
        "containers": [
          [
            "name": "C", "image": "x",
            "ports": [["containerPort": 80, "name": "a"], ["containerPort": 70000, "name": "a"], ["name": "b"]],
            "env": [["value": "b"], ["name": "a=b"], ["name": "c", "value": "x", "valueFrom": ["fieldRef": [:]]]],
            "volumeMounts": [
              ["name": "v"], ["name": "v", "mountPath": "/a"], ["name": "no", "mountPath": "/a"],
            ],
          ],
          ["name": "d", "imagePullPolicy": "Foo"], ["name": "d", "image": "x"],
        ],
        "volumes": [["name": "v"], ["name": "v"], ["name": "w", "secret": [:], "configMap": [:]]],
        "restartPolicy": "Foo", "dnsPolicy": "Foo",
      ],
    ]
    #expect(
      messages(pod, .pod) == [
        "metadata.name: Invalid value: \"UPPER\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
          + "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
          + "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "metadata.labels: Invalid value: \"a b\": a valid label must be an empty string or consist of alphanumeric "
          + "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
          + "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        "metadata.annotations: Invalid value: \"!\": name part must consist of alphanumeric characters, '-', '_' or "
          + "'.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
          + "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        "spec.volumes[1].name: Duplicate value: \"v\"",
        "spec.volumes[2].configMap: Forbidden: may not specify more than 1 volume type",
        "spec.containers[0].name: Invalid value: \"C\": " + Self.label,
        "spec.containers[0].ports[1].name: Duplicate value: \"a\"",
        "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        "spec.containers[0].ports[2].containerPort: Required value",
        "spec.containers[0].env[0].name: Required value",
        "spec.containers[0].env[1].name: Invalid value: \"a=b\": a valid environment variable name must consist only of "
          + "printable ASCII characters other than '='",
        "spec.containers[0].env[2].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        "spec.containers[0].volumeMounts[0].mountPath: Required value",
        "spec.containers[0].volumeMounts[2].name: Not found: \"no\"",
        "spec.containers[0].volumeMounts[2].mountPath: Invalid value: \"/a\": must be unique",
        "spec.containers[1].image: Required value",
        "spec.containers[1].imagePullPolicy: Unsupported value: \"Foo\": supported values: \"Always\", \"IfNotPresent\", "
          + "\"Never\"",
        "spec.containers[2].name: Duplicate value: \"d\"",
        "spec.restartPolicy: Unsupported value: \"Foo\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        "spec.dnsPolicy: Unsupported value: \"Foo\": supported values: \"ClusterFirstWithHostNet\", \"ClusterFirst\", "
          + "\"Default\", \"None\"",
      ])
  }

  @Test func `A Deployment's problems are reported in the words of the API server`() {
    var deployment = StoreFixture.deployment("web")
    deployment.spec["strategy"] = ["type": "Recreate", "rollingUpdate": ["maxSurge": 1]]
    deployment.template.spec["restartPolicy"] = "Never"
    #expect(
      messages(deployment, .deployment) == [
        "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
      ])
    let bare: KubeObject = [
      "metadata": ["name": "web"],
      "spec": ["strategy": ["rollingUpdate": ["maxSurge": 0, "maxUnavailable": "0%"]], "template": ["spec": [:]]],
    ]
    #expect(
      messages(bare, .deployment) == [
        "spec.selector: Required value",
        "spec.template.metadata.labels: Invalid value: map[string]string(nil): `selector` does not match template "
          + "`labels`",
        "spec.template.spec.containers: Required value",
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0",
      ])
  }

  @Test func `The selector of a Deployment cannot be changed`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    let words = message {
      try store.update(.deployment, in: "default", named: "web", by: "test") { object in
        object.spec["selector"] = ["matchLabels": ["app": "x"]]
        object.template.metadata["labels"] = ["app": "x"]
      }
    }
    #expect(
      words == "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: "
        + "v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"x\"}, "
        + "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable")
  }

  @Test func `Of a pod's spec only its images and its first node can be changed`() throws {
    try store.create(StoreFixture.pod("web"), of: .pod, by: "test")
    try store.update(.pod, in: "default", named: "web", by: "test") { pod in
      pod.spec["nodeName"] = "minicluster"
      pod.containers = [Container(["name": "web", "image": "shop/web:2"])]
    }
    let refusals: [JSONValue?] = ["other", nil]
    for node in refusals {
      let words = message {
        try store.update(.pod, in: "default", named: "web", by: "test") { $0.spec["nodeName"] = node }
      }
      #expect(
        words?.hasPrefix("Pod \"web\" is invalid: spec: Forbidden: pod updates may not change fields other than")
          == true)
    }
    let words = message {
      try store.update(.pod, in: "default", named: "web", by: "test") { pod in
        pod.containers = [Container(["name": "web", "image": "shop/web:2", "env": [["name": "A", "value": "b"]]])]
      }
    }
    #expect(words?.contains("spec: Forbidden") == true)
    #expect(store.object(.pod, in: "default", named: "web")?.container(named: "web")?.image == "shop/web:2")
  }

  @Test func `A Service's problems are reported in the words of the API server`() throws {
    let service: KubeObject = [
      "metadata": ["name": "1abc"],
      "spec": [
        "type": "Foo", "ports": [["port": 80], ["port": 0, "targetPort": 70000, "name": "A_"]],
      ],
    ]
    #expect(
      messages(service, .service) == [
        "metadata.name: Invalid value: \"1abc\": a DNS-1035 label must consist of lower case alphanumeric characters or "
          + "'-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
          + "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        "spec.ports[0].name: Required value",
        "spec.ports[1].name: Invalid value: \"A_\": " + Self.label,
        "spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        "spec.ports[1].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        "spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", "
          + "\"NodePort\"",
      ])
    #expect(messages(["metadata": ["name": "web"]], .service) == ["spec.ports: Required value"])
    try store.create(["metadata": ["name": "web"], "spec": ["clusterIP": "None"]], of: .service, by: "test")
  }

  @Test func `A Service keeps its address if a client sends none, and cannot get another one`() throws {
    let first: KubeObject = ["metadata": ["name": "web"], "spec": ["clusterIP": "10.98.0.7", "ports": [["port": 80]]]]
    try store.create(first, of: .service, by: "test")
    let replaced = try store.update(.service, in: "default", named: "web", by: "test") {
      $0.spec = ["ports": [["port": 81]]]
    }
    #expect(replaced.spec["clusterIP"] == "10.98.0.7")
    let words = message {
      try store.update(.service, in: "default", named: "web", by: "test") { $0.spec["clusterIP"] = "10.98.0.8" }
    }
    #expect(
      words
        == "Service \"web\" is invalid: spec.clusterIPs[0]: Invalid value: []string{\"10.98.0.8\"}: may not change once "
        + "set")
  }

  @Test func `What is immutable cannot be changed`() throws {
    try store.create(
      ["metadata": ["name": "c"], "data": ["a": "b"], "immutable": true], of: .configMap, by: "test")
    let words = message {
      try store.update(.configMap, in: "default", named: "c", by: "test") { $0.json["data"] = ["a": "c"] }
    }
    #expect(words == "ConfigMap \"c\" is invalid: data: Forbidden: field is immutable when `immutable` is set")
    try store.update(.configMap, in: "default", named: "c", by: "test") { $0.labels["a"] = "b" }
  }

  @Test func `A key that can be no file's name is refused`() {
    #expect(
      messages(["metadata": ["name": "c"], "data": ["a b": "c"]], .configMap) == [
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
          + "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
      ])
  }

  @Test func `Annotations of more than 256 KiB are refused`() throws {
    var pod = StoreFixture.pod("web")
    pod.annotations["a"] = String(repeating: "x", count: 256 << 10)
    #expect(messages(pod, .pod) == ["metadata.annotations: Too long: may not be more than 262144 bytes"])
    pod.annotations["a"]?.removeLast()
    try store.create(pod, of: .pod, by: "test")
  }

  @Test func `An object that is on its way out gets no new finalizer`() throws {
    var pod = StoreFixture.pod("web")
    pod.finalizers = ["x/y"]
    try store.create(pod, of: .pod, by: "test")
    try store.delete(.pod, in: "default", named: "web")
    let words = message {
      try store.update(.pod, in: "default", named: "web", by: "test") { $0.finalizers.append("a/b") }
    }
    #expect(
      words
        == "Pod \"web\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is "
        + "being deleted, found new finalizers []string{\"a/b\"}")
  }

  static let wrongTypes: [(JSONValue, String)] = [
    (
      ["containers": [["name": "web", "image": "x", "env": [["name": "A", "value": 1]]]]],
      "number into Go struct field EnvVar.spec.containers.env.value of type string"
    ),
    (
      ["containers": [["name": "web", "image": "x", "command": ["sleep", 5]]]],
      "number into Go struct field Container.spec.containers.command of type string"
    ),
    (
      ["containers": [["name": "web", "image": "x"]], "nodeSelector": ["a": true]],
      "bool into Go struct field PodSpec.spec.nodeSelector of type string"
    ),
    (
      ["containers": [["name": "web", "image": "x", "ports": [["containerPort": "80"]]]]],
      "string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32"
    ),
    (["containers": ["web": "x"]], "object into Go struct field PodSpec.spec.containers of type v1.Container"),
  ]

  @Test(arguments: wrongTypes)
  func `A value of another type than the field's is refused as the server's decoder does it`(
    _ spec: JSONValue, _ words: String
  ) {
    let failure = #expect(throws: APIFailure.self) {
      try store.create(StoreFixture.pod("web", spec: spec), of: .pod, by: "test")
    }
    #expect(failure?.status.code == 400)
    #expect(
      failure?.status.message
        == "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal \(words)")
  }

  @Test func `Names of data and of labels are no fields`() throws {
    try store.create(
      ["metadata": ["name": "c", "labels": ["name": "x", "spec": "y"]], "data": ["spec": "a", "replicas": "b"]],
      of: .configMap, by: "test")
    let words = message {
      try store.create(["metadata": ["name": "d"], "data": ["a": 1]], of: .configMap, by: "test")
    }
    #expect(words?.hasSuffix("number into Go struct field ConfigMap.data of type string") == true)
  }
}
