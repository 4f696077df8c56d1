import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Volumes, variables and resources of a session's pod") struct SessionPodVolumesTests {
  private static let surroundings: SessionPodSurroundings = {
    var surroundings = SessionPodSurroundings()
    surroundings.claims = [
      "once": .init(accessModes: ["ReadWriteOnce"]), "pod": .init(accessModes: ["ReadWriteOncePod"]),
      "many": .init(accessModes: ["ReadWriteOnce", "ReadWriteMany"]), "read": .init(accessModes: ["ReadOnlyMany"]),
    ]
    surroundings.node = "node7"
    return surroundings
  }()

  /// A template whose app mounts one volume.
  private static func template(_ volume: JSONValue, alsoIn other: String? = nil) -> KubeObject {
    var volume = volume
    volume["name"] = "v"
    let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
    var template: KubeObject = ["spec": ["containers": [["name": "app", "volumeMounts": mounts]]]]
    template.volumes = [volume]
    if let other { template.spec["initContainers"] = [["name": .string(other), "volumeMounts": mounts]] }
    return template
  }

  private static func object(_ pod: SessionPod) throws -> KubeObject { try SessionPodTests.object(pod) }

  @Test(
    arguments: [
      ["configMap": ["name": "c"]], ["secret": ["secretName": "s"]], ["hostPath": ["path": "/"]], ["emptyDir": [:]],
      ["csi": ["driver": "d"]], ["nfs": ["server": "n"]], ["persistentVolumeClaim": ["claimName": "many"]],
      ["persistentVolumeClaim": ["claimName": "read"]], ["gcePersistentDisk": ["pdName": "p", "readOnly": true]],
    ] as [JSONValue])
  func `A volume that can be shared is mounted as in the app`(volume: JSONValue) throws {
    let template = Self.template(volume)
    let pod = SessionPodTests.pod(template, in: Self.surroundings)
    #expect(pod.omissions == [])
    let object = try Self.object(pod)
    #expect(object.volumes.first == template.volumes[0])
    #expect(object.containers[0].volumeMounts.first == ["name": "v", "mountPath": "/v"])
    #expect(object.spec["affinity"] == nil)
  }

  private static let exclusive: [JSONValue] = [
    ["persistentVolumeClaim": ["claimName": "once"]], ["persistentVolumeClaim": ["claimName": "pod"]],
    ["persistentVolumeClaim": ["claimName": "unknown"]], ["awsElasticBlockStore": ["volumeID": "x"]],
  ]

  @Test(arguments: exclusive)
  func `A volume that cannot be shared is left out and named`(volume: JSONValue) throws {
    let pod = SessionPodTests.pod(Self.template(volume), in: Self.surroundings)
    #expect(pod.omissions.count == 1)
    #expect(pod.omissions.first?.hasPrefix("volume v is left out: ") == true)
    let object = try Self.object(pod)
    #expect(!object.volumes.contains { $0["name"] == "v" })
    #expect(!object.containers[0].volumeMounts.contains { $0["name"] == "v" })
  }

  @Test(arguments: exclusive)
  func `A volume that is needed takes the pod to the node of the app's`(volume: JSONValue) throws {
    var template = Self.template(volume)
    let term: JSONValue = ["key": "metadata.name", "operator": "In", "values": ["node7"]]
    let pod = SessionPodTests.pod(template, named: ["v"], in: Self.surroundings)
    #expect(pod.omissions == [])
    var object = try Self.object(pod)
    #expect(object.volumes.contains { $0["name"] == "v" })
    let path = { (object: KubeObject) in
      object.spec["affinity"]?["nodeAffinity"]?["requiredDuringSchedulingIgnoredDuringExecution"]?["nodeSelectorTerms"]
    }
    #expect(path(object) == [["matchFields": [term]]])
    // A node has to fit one of the terms, and all of a term.
    let own: JSONValue = ["matchExpressions": [["key": "zone", "operator": "Exists"]]]
    template.spec["affinity"] = [
      "nodeAffinity": ["requiredDuringSchedulingIgnoredDuringExecution": ["nodeSelectorTerms": [own, own]]]
    ]
    object = try Self.object(SessionPodTests.pod(template, named: ["v"], in: Self.surroundings))
    var both = own
    both["matchFields"] = [term]
    #expect(path(object) == [both, both])
  }

  @Test func `An empty volume that an absent container fills is named`() {
    let pod = SessionPodTests.pod(Self.template(["emptyDir": [:]], alsoIn: "fetch"))
    #expect(pod.omissions.count == 1)
    #expect(pod.omissions.first?.contains("container fetch") == true)
    #expect(SessionPodTests.pod(Self.template(["configMap": ["name": "c"]], alsoIn: "fetch")).omissions == [])
  }

  @Test func `No new disk is made for the pod`() throws {
    let volume = try Self.object(SessionPodTests.pod(Self.template(["ephemeral": ["volumeClaimTemplate": [:]]])))
      .volumes[0]
    #expect(volume == ["name": "v", "emptyDir": [:]])
  }

  private static func app(_ container: JSONValue) -> KubeObject {
    var container = container
    container["name"] = "app"
    return ["spec": ["containers": [container]]]
  }

  private static func resources(_ container: JSONValue, limits: [JSONValue] = []) throws -> JSONValue? {
    var surroundings = SessionPodSurroundings()
    surroundings.limits = limits
    return try object(SessionPodTests.pod(app(container), in: surroundings)).containers[0].json["resources"]
  }

  private static let small: JSONValue = ["requests": ["cpu": "10m", "memory": "32Mi"], "limits": ["memory": "256Mi"]]

  @Test(
    arguments: [
      ([:], [], small),
      (["requests": ["cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1", "hugepages-2Mi": "4Mi"]], [], small),
      (
        ["limits": ["cpu": "20m"]], [],
        ["requests": ["cpu": "10m", "memory": "32Mi"], "limits": ["cpu": "250m", "memory": "256Mi"]]
      ),
      (
        ["limits": ["ephemeral-storage": "9Gi"]], [],
        [
          "requests": ["cpu": "10m", "memory": "32Mi", "ephemeral-storage": "32Mi"],
          "limits": ["memory": "256Mi", "ephemeral-storage": "256Mi"],
        ]
      ),
      (
        [:],
        [["type": "Container", "min": ["cpu": "50m", "memory": "64Mi"], "max": ["cpu": "200m", "memory": "128Mi"]]],
        ["requests": ["cpu": "50m", "memory": "64Mi"], "limits": ["cpu": "200m", "memory": "128Mi"]]
      ),
      (
        [:], [["type": "Pod", "min": ["memory": "0.5Gi"]]],
        ["requests": ["cpu": "10m", "memory": "0.5Gi"], "limits": ["memory": "0.5Gi"]]
      ),
      (
        [:], [["type": "Container", "maxLimitRequestRatio": ["memory": "2", "cpu": 5]]],
        ["requests": ["cpu": "50m", "memory": "134217728"], "limits": ["cpu": "250m", "memory": "256Mi"]]
      ),
      ([:], [["type": "PersistentVolumeClaim", "min": ["memory": "1Gi"]]], small),
    ] as [(JSONValue, [JSONValue], JSONValue)])
  func `The pod needs next to nothing, within what the namespace allows`(
    own: JSONValue, limits: [JSONValue], expected: JSONValue
  ) throws {
    #expect(try Self.resources(["resources": own], limits: limits) == expected)
  }

  private static let own: JSONValue = [
    "requests": ["cpu": "2", "nvidia.com/gpu": "1"], "limits": ["memory": "4Gi", "nvidia.com/gpu": "1"],
    "claims": [["name": "gpu"]],
  ]
  private static let quoted: JSONValue = ["requests": ["cpu": "2"], "limits": ["memory": "4Gi"]]

  @Test(arguments: [nil, "app"])
  func `The pod has the container's resources where a variable quotes them`(container: String?) throws {
    var reference: JSONValue = ["resource": "limits.memory"]
    reference["containerName"] = container.map(JSONValue.string)
    let variable: JSONValue = ["name": "M", "valueFrom": ["resourceFieldRef": reference]]
    let resources = try Self.resources(["resources": Self.own, "env": [variable]])
    #expect(resources == Self.quoted)
  }

  @Test(arguments: [false, true])
  func `The pod has the container's resources where a file quotes them`(isProjected: Bool) throws {
    let source: JSONValue = [
      "items": [
        ["path": "own", "resourceFieldRef": ["containerName": "app", "resource": "limits.cpu"]],
        ["path": "other", "resourceFieldRef": ["containerName": "side", "resource": "limits.cpu"]],
      ]
    ]
    var template = Self.template(
      isProjected ? ["projected": ["sources": [["downwardAPI": source]]]] : ["downwardAPI": source])
    template.containers[0].json["resources"] = Self.own
    let pod = SessionPodTests.pod(template)
    let object = try Self.object(pod)
    #expect(object.containers[0].json["resources"] == Self.quoted)
    let volume = object.volumes[0]
    let items =
      isProjected
      ? volume["projected"]?["sources"]?.array?.first?["downwardAPI"]?["items"] : volume["downwardAPI"]?["items"]
    #expect(items?.array?.map { $0["path"] } == ["own"])
    #expect(pod.omissions.contains { $0.hasPrefix("file other of volume v is left out") })
  }

  @Test func `Devices stay with the app and are named`() {
    let omissions = SessionPodTests.pod(Self.app(["resources": Self.own])).omissions
    #expect(omissions.contains { $0.hasPrefix("resource nvidia.com/gpu is left out") })
    #expect(omissions.contains { $0.hasPrefix("resource claim gpu is left out") })
  }

  @Test func `A variable that quotes what the pod does not have is its value, or is left out and named`() throws {
    var template = Self.app([
      "env": [
        ["name": "A", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['app']"]]],
        ["name": "T", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['team']"]]],
        ["name": "S", "valueFrom": ["fieldRef": ["fieldPath": "metadata.annotations['prometheus.io/scrape']"]]],
        ["name": "O", "valueFrom": ["resourceFieldRef": ["containerName": "side", "resource": "limits.cpu"]]],
        ["name": "F", "valueFrom": ["fileKeyRef": ["volumeName": "v", "path": "p", "key": "k"]]],
        ["name": "P", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
      ]
    ])
    template.labels = ["app": "web", "team": "blue"]
    template.annotations = ["prometheus.io/scrape": "$(x)"]
    let pod = SessionPodTests.pod(template)
    let variables = try Self.object(pod).containers[0].environment
    #expect(variables.map { $0["name"] } == ["A", "T", "S", "P"])
    #expect(variables[0] == ["name": "A", "value": "web"])
    #expect(variables[1]["valueFrom"] != nil)
    #expect(variables[2] == ["name": "S", "value": "$$(x)"])
    #expect(variables[3]["valueFrom"] != nil)
    #expect(pod.omissions.map { $0.prefix(23) } == ["variable O is left out:", "variable F is left out:"])
  }

  @Test(arguments: [
    ("1", 1), ("100m", 0.1), ("1.5", 1.5), ("128Mi", 134_217_728), ("1G", 1e9), ("1e3", 1000), ("2E", 2e18),
    ("3k", 3000),
    ("5n", 5e-9), ("-1", -1),
  ])
  func `A quantity has its value`(text: String, value: Double) throws {
    let quantity = try #require(Quantity(text))
    #expect(abs(quantity.value - value) <= abs(value) * 1e-12)
    #expect(quantity.text == text)
  }

  @Test(arguments: ["", "x", "1x", "Mi", "nan", "inf"])
  func `What is no quantity is none`(text: String) { #expect(Quantity(text) == nil) }
}
