import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Pod of a session") struct SessionPodTests {
  static let template: KubeObject = [
    "metadata": [
      "labels": ["app": "web", "azure.workload.identity/use": "true"],
      "annotations": [
        "team": "blue", "prometheus.io/scrape": "true",
        "container.apparmor.security.beta.kubernetes.io/app": "runtime/default",
        "container.apparmor.security.beta.kubernetes.io/side": "runtime/default",
      ],
    ],
    "spec": [
      "serviceAccountName": "robot", "automountServiceAccountToken": false, "securityContext": ["runAsUser": 7],
      "imagePullSecrets": [["name": "pull"]], "nodeSelector": ["pool": "a"], "tolerations": [["operator": "Exists"]],
      "runtimeClassName": "gvisor", "dnsPolicy": "None", "dnsConfig": ["nameservers": ["198.51.100.1"]],
      "hostAliases": [["ip": "198.51.100.2", "hostnames": ["db"]]], "hostNetwork": false, "enableServiceLinks": false,
      "affinity": [
        "nodeAffinity": ["preferredDuringSchedulingIgnoredDuringExecution": []], "podAntiAffinity": ["x": "y"],
      ],
      "topologySpreadConstraints": [["maxSkew": 1]], "priorityClassName": "high", "schedulerName": "other",
      "restartPolicy": "Always", "terminationGracePeriodSeconds": 300, "activeDeadlineSeconds": 9,
      "shareProcessNamespace": true, "readinessGates": [["conditionType": "x"]], "resourceClaims": [["name": "gpu"]],
      "initContainers": [["name": "init", "image": "i"]],
      "containers": [
        ["name": "side", "image": "s"],
        [
          "name": "app", "image": "a", "imagePullPolicy": "Always", "command": ["run"], "args": ["x"],
          "workingDir": "/srv", "env": [["name": "V", "value": "1"]], "envFrom": [["configMapRef": ["name": "c"]]],
          "securityContext": ["readOnlyRootFilesystem": true], "tty": true,
          "ports": [["containerPort": 80, "hostPort": 80, "hostIP": "198.51.100.3", "name": "http"]],
          "resources": ["limits": ["memory": "2Gi"], "requests": ["cpu": "1"]],
          "volumeMounts": [["name": "config", "mountPath": "/etc/app"]],
          "lifecycle": ["preStop": ["exec": ["command": ["bye"]]]], "livenessProbe": ["httpGet": ["port": 80]],
          "readinessProbe": ["httpGet": ["port": 80]], "startupProbe": ["httpGet": ["port": 80]],
        ],
      ],
      "volumes": [
        ["name": "config", "configMap": ["name": "c"]], ["name": "of-side", "hostPath": ["path": "/"]],
      ],
    ],
  ]

  static func workload(_ template: KubeObject = template) -> Workload {
    var deployment: KubeObject = ["kind": "Deployment", "metadata": ["name": "web"]]
    deployment.spec["selector"] = ["matchLabels": ["app": "web"]]
    deployment.template = template
    return Workload(object: deployment)
  }

  static func pod(
    _ template: KubeObject = template, ports: [UInt16] = [], named: Set<String> = [],
    in surroundings: SessionPodSurroundings = SessionPodSurroundings()
  ) -> SessionPod {
    let agent = AgentTemplate(
      session: "s1", container: "app",
      payload: PayloadConfigMaps(loader: "l", pieces: ["p0"], architecture: "amd64"),
      access: AgentPorts(control: 20_001, probe: 20_002, ready: 20_003), secretDigest: "ab", ports: ports)
    return SessionPod(of: workload(template), agent: agent, named: named, surroundings: surroundings)
  }

  static func object(_ pod: SessionPod) throws -> KubeObject { try pod.object(named: "web-devrun-s1", in: "n") }

  @Test func `The pod is the target's container alone, with the agent in it`() throws {
    let pod = try Self.object(Self.pod(ports: [80]))
    #expect(pod.kind == "Pod")
    #expect(pod.name == "web-devrun-s1")
    #expect(pod.namespace == "n")
    #expect(pod.session == "s1")
    #expect(pod.containers.map(\.name) == ["app"])
    #expect(pod.spec["initContainers"] == nil)
    let (container, own) = (pod.containers[0].json, try #require(Self.template.container(named: "app")).json)
    for field in ["name", "image", "imagePullPolicy", "workingDir", "env", "envFrom", "securityContext"] {
      #expect(container[field] == own[field])
    }
    for field in ["args", "lifecycle", "livenessProbe", "startupProbe", "tty"] { #expect(container[field] == nil) }
    #expect(container["ports"] == [["containerPort": 80, "name": "http"]])
    #expect(
      container["command"] == [
        "/.devrun/loader", "run", "/.devrun-run", "/.devrun", "--", "--control-port", "20001", "--secret-sha256", "ab",
        "--port", "80", "--probe-port", "20002", "--",
      ])
    #expect(container["volumeMounts"]?.array?.first == ["name": "config", "mountPath": "/etc/app"])
    #expect(pod.volumes.map { $0["name"] } == ["config", "devrun-payload", "devrun-run"])
  }

  @Test(
    arguments: [
      ("$(DB_SERVICE_HOST):5432", nil, true), ("$(DB_PORT)", nil, true), ("$(DB_PORT)", false, false),
      ("$(OTHER)", nil, false), ("DB_SERVICE_HOST", true, false),
    ] as [(String, Bool?, Bool)])
  func `The kubelet lists services in the pod's variables only where a variable may quote one`(
    value: String, asked: Bool?, expected: Bool
  ) throws {
    var template = Self.template
    template.spec["enableServiceLinks"] = asked.map { .bool($0) }
    template.containers = template.containers.map { container in
      var container = container
      container.json["env"] = [["name": "URL", "value": .string(value)]]
      return container
    }
    #expect(try Self.object(Self.pod(template)).spec["enableServiceLinks"] == .bool(expected))
    #expect(template.hasServiceLinks == (asked ?? true))
  }

  @Test func `The pod keeps what its place in the cluster is made of, and nothing of the app's placement`() throws {
    let spec = try Self.object(Self.pod()).spec
    for field in [
      "serviceAccountName", "automountServiceAccountToken", "securityContext", "imagePullSecrets", "tolerations",
      "runtimeClassName", "dnsPolicy", "dnsConfig", "hostAliases", "hostNetwork",
    ] {
      #expect(spec[field] == Self.template.spec[field], "\(field)")
    }
    #expect(spec["nodeSelector"] == ["pool": "a", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"])
    #expect(spec["affinity"] == ["nodeAffinity": ["preferredDuringSchedulingIgnoredDuringExecution": []]])
    for field in [
      "topologySpreadConstraints", "priorityClassName", "schedulerName", "activeDeadlineSeconds",
      "shareProcessNamespace", "readinessGates", "resourceClaims",
    ] {
      #expect(spec[field] == nil, "\(field)")
    }
    #expect(spec["restartPolicy"] == "Always")
    #expect((spec["terminationGracePeriodSeconds"]?.int ?? .max) <= 5)
  }

  @Test func `The pod is Ready while a devrun is attached`() throws {
    let probe = try Self.object(Self.pod()).containers[0].json["readinessProbe"]
    #expect(probe?["httpGet"] == ["path": "/ready", "port": 20_002, "scheme": "HTTP"])
    #expect(probe?["periodSeconds"] == 5)
  }

  @Test func `Another platform is an error, by the node selector or by the node of the app's pod`() throws {
    var template = Self.template
    template.spec["nodeSelector"] = ["kubernetes.io/arch": "arm64"]
    let expected = WorkloadError.otherArchitecture(wanted: "arm64", payload: "amd64")
    #expect(throws: expected) { try Self.object(Self.pod(template)) }
    var surroundings = SessionPodSurroundings()
    surroundings.architecture = "arm64"
    #expect(throws: expected) { try Self.object(Self.pod(in: surroundings)) }
    surroundings.architecture = "amd64"
    surroundings.operatingSystem = "windows"
    #expect(throws: WorkloadError.otherArchitecture(wanted: "windows", payload: "linux")) {
      try Self.object(Self.pod(in: surroundings))
    }
    surroundings.operatingSystem = "linux"
    _ = try Self.object(Self.pod(in: surroundings))
  }

  @Test func `A pod on its node's network declares and takes no port of the app`() throws {
    var template = Self.template
    template.spec["hostNetwork"] = true
    let pod = Self.pod(template, ports: [80, 81])
    let container = try Self.object(pod).containers[0].json
    #expect(container["ports"] == nil)
    #expect(container["command"]?.array?.contains("--port") == false)
    #expect(pod.omissions.contains { $0.contains("80, 81") })
  }

  @Test func `Annotations stay, but those by which others take the pod for the app's`() throws {
    let annotations = try Self.object(Self.pod()).annotations
    #expect(
      annotations == [
        "team": "blue", "container.apparmor.security.beta.kubernetes.io/app": "runtime/default",
        "devrun.dev/session": "s1",
      ])
  }

  @Test(arguments: [
    ("web", "k3x9q2", "web-devrun-k3x9q2"),
    ("a.b", "k3x9q2", "a-b-devrun-k3x9q2"),
    (String(repeating: "w", count: 253), "k3x9q2", String(repeating: "w", count: 49) + "-devrun-k3x9q2"),
    (String(repeating: "w", count: 48) + "-x", "k3x9q2", String(repeating: "w", count: 48) + "-devrun-k3x9q2"),
    ("", "k3x9q2", "devrun-k3x9q2"),
  ])
  func `The pod's name is the target's and the session's, as a DNS label`(
    target: String, session: String, expected: String
  ) {
    let name = SessionPod.name(target: target, session: session)
    #expect(name == expected)
    #expect(name.utf8.count <= 63)
  }
}
