import DevrunCore
import DevrunKube
import Testing

@testable import Minicluster

/// The statuses of pods, as a real kubelet (1.20) has shown them.
struct KubeletStatusTests {
  private static let time = WallTime(seconds: 1_795_707_000)

  private static func ended(_ code: Int32) -> ContainerRecord.Termination {
    ContainerRecord.Termination(
      exitCode: code, reason: code == 0 ? "Completed" : "Error", started: time, finished: time, containerID: "c://1")
  }

  /// A container, by a word.
  private static func record(_ name: String, _ word: String, isInit: Bool = false) -> ContainerRecord {
    var record = ContainerRecord(name: name, image: "i", isInit: isInit, waiting: "ContainerCreating")
    switch word {
    case "running": record.state = .running(since: time)
    case "ready":
      record.state = .running(since: time)
      (record.isReady, record.isStarted) = (true, true)
    case "0", "1": record.state = .terminated(ended(Int32(word) ?? 0))
    case "backoff":
      record.state = .waiting(reason: "CrashLoopBackOff")
      record.last = ended(1)
    default: break
    }
    return record
  }

  private static func status(
    _ containers: [String], inits: [String] = [], policy: PodStatus.RestartPolicy = .always
  ) -> PodStatus {
    var status = PodStatus(
      restartPolicy: policy, startTime: time, hostIP: "10.97.0.1", podIP: "10.97.0.2", qosClass: "BestEffort")
    status.containers = containers.enumerated().map { record("c\($0.offset)", $0.element) }
    status.initContainers = inits.enumerated().map { record("i\($0.offset)", $0.element, isInit: true) }
    return status
  }

  @Test(
    arguments: [
      (["waiting"], [], .always, "Pending"), (["running"], [], .always, "Running"),
      (["ready", "waiting"], [], .always, "Pending"),
      (["backoff"], [], .always, "Running"), (["0"], [], .always, "Running"), (["0"], [], .never, "Succeeded"),
      (["0"], [], .onFailure, "Succeeded"), (["1"], [], .never, "Failed"), (["1"], [], .onFailure, "Running"),
      (["1", "running"], [], .never, "Running"), (["0", "1"], [], .never, "Failed"),
      (["waiting"], ["1"], .never, "Failed"),
      (["waiting"], ["1"], .always, "Pending"), (["waiting"], ["0", "running"], .always, "Pending"),
      (["ready"], ["0"], .always, "Running"),
    ] as [([String], [String], PodStatus.RestartPolicy, String)])
  func `A pod's phase follows from its containers`(
    containers: [String], inits: [String], policy: PodStatus.RestartPolicy, phase: String
  ) {
    #expect(Self.status(containers, inits: inits, policy: policy).phase.rawValue == phase)
  }

  private func conditions(_ status: PodStatus, after previous: JSONValue = [:]) -> [String: String] {
    let json = status.json(after: previous, now: Self.time)
    return Dictionary(
      uniqueKeysWithValues: (json["conditions"]?.array ?? []).map { condition in
        let words = ["status", "reason", "message"].compactMap { condition[$0]?.string }
        return (condition["type"]?.string ?? "", words.joined(separator: " | "))
      })
  }

  @Test func `A pod whose containers are ready is ready`() {
    #expect(
      conditions(Self.status(["ready"])) == [
        "Initialized": "True", "Ready": "True", "ContainersReady": "True", "PodScheduled": "True",
      ])
  }

  @Test func `A pod with an unready container names it`() {
    let unready = "False | ContainersNotReady | containers with unready status: [c0]"
    #expect(
      conditions(Self.status(["backoff", "ready"])) == [
        "Initialized": "True", "Ready": unready, "ContainersReady": unready, "PodScheduled": "True",
      ])
  }

  @Test func `A pod that waits for its init containers names them`() {
    #expect(
      conditions(Self.status(["waiting"], inits: ["1", "waiting"]))["Initialized"]
        == "False | ContainersNotInitialized | containers with incomplete status: [i0 i1]")
  }

  @Test func `A pod that has succeeded is completed`() {
    #expect(
      conditions(Self.status(["0"], policy: .never)) == [
        "Initialized": "True | PodCompleted", "Ready": "False | PodCompleted",
        "ContainersReady": "False | PodCompleted",
        "PodScheduled": "True",
      ])
  }

  @Test func `A readiness gate that nobody has opened keeps a pod from being ready`() {
    var status = Self.status(["ready"])
    status.readinessGates = ["example.com/gate"]
    #expect(conditions(status)["Ready"]?.hasPrefix("False | ReadinessGatesNotReady") == true)
    let open: JSONValue = ["conditions": [["type": "example.com/gate", "status": "True"]]]
    #expect(conditions(status, after: open)["Ready"] == "True")
    #expect(conditions(status, after: open)["example.com/gate"] == "True")
  }

  @Test func `A condition's time changes with its status only`() {
    let before = Self.status(["running"]).json(after: [:], now: WallTime(seconds: 0))
    let after = Self.status(["ready"]).json(after: before, now: WallTime(seconds: 60))
    let times = Dictionary(
      uniqueKeysWithValues: (after["conditions"]?.array ?? []).map {
        ($0["type"]?.string ?? "", $0["lastTransitionTime"]?.string ?? "")
      })
    #expect(times["Initialized"] == "1970-01-01T00:00:00Z")
    #expect(times["Ready"] == "1970-01-01T00:01:00Z")
  }

  @Test func `A container's status has all that a real one has`() {
    var record = Self.record("main", "backoff")
    record.restarts = 2
    record.containerID = "c://2"
    record.state = .waiting(reason: "CrashLoopBackOff", message: "back-off 10s")
    #expect(
      record.json == [
        "name": "main", "image": "i", "imageID": "minicluster://machine", "ready": false, "started": false,
        "restartCount": 2, "containerID": "c://2",
        "state": ["waiting": ["reason": "CrashLoopBackOff", "message": "back-off 10s"]],
        "lastState": [
          "terminated": [
            "exitCode": 1, "reason": "Error", "startedAt": .string(Self.time.text),
            "finishedAt": .string(Self.time.text), "containerID": "c://1",
          ]
        ],
      ])
  }

  @Test func `A container waits longer from restart to restart, and anew after a long run`() {
    var backoff = RestartBackoff()
    var time = WallTime(seconds: 1000)
    var waits: [Duration?] = []
    for _ in 0..<8 {
      waits.append(backoff.wait(after: time))
      time.seconds += 301
    }
    #expect(waits == [nil] + [10, 20, 40, 80, 160, 300, 300].map { .seconds($0) })
    time.seconds += 601
    #expect(backoff.wait(after: time) == nil)
    #expect(backoff.wait(after: time) == .seconds(10))
  }

  @Test(arguments: [(10, "10s"), (80, "1m20s"), (300, "5m0s")])
  func `A wait is printed as kubelet prints it`(seconds: Int, text: String) {
    #expect(Duration.seconds(seconds).goText == text)
  }

  @Test(
    arguments: [
      ([:], "BestEffort"), (["requests": ["cpu": "1"]], "Burstable"),
      (["limits": ["cpu": "1", "memory": "1Gi"]], "Guaranteed"),
      (["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "500m"]], "Burstable"),
      (["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "1000m"]], "Guaranteed"),
    ] as [(JSONValue, String)]) func `A pod's quality of service follows from its resources`(
      resources: JSONValue, expected: String
    )
  {
    let pod: KubeObject = ["spec": ["containers": [["name": "main", "resources": resources]]]]
    #expect(pod.qosClass == expected)
  }

  @Test(
    arguments: [
      (["nodeSelector": ["kubernetes.io/os": "linux"]], true), (["nodeSelector": ["a": "b"]], false),
      (["volumes": [["name": "v", "persistentVolumeClaim": ["claimName": "zz"]]]], false), ([:], true),
    ] as [(JSONValue, Bool)]) func `A pod runs on the node if nothing that it asks for is missing`(
      spec: JSONValue, fits: Bool
    )
  {
    let node = NodeDescription(address: "10.97.0.1")
    #expect((node.refusal(of: ["spec": spec]) { _ in nil } == nil) == fits)
  }

  @Test func `A pod's own files have its name, its resolver and its own additions`() {
    var pod: KubeObject = [
      "metadata": ["name": "p", "namespace": "team"],
      "spec": ["hostAliases": [["ip": "1.2.3.4", "hostnames": ["a", "b"]]]],
    ]
    var files = PodFiles(
      pod: pod, address: "10.97.0.2", resolver: "10.98.0.10", machineResolverFile: "nameserver 9.9.9.9\n")
    #expect(files.hosts.contains("\n10.97.0.2\tp\n"))
    #expect(files.hosts.hasSuffix("1.2.3.4\ta\tb\n"))
    #expect(
      files.resolverFile
        == "search team.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.98.0.10\noptions ndots:5\n")
    pod.spec["dnsPolicy"] = "Default"
    pod.spec["dnsConfig"] = ["options": [["name": "ndots", "value": "2"]], "searches": ["x.y"]]
    files.pod = pod
    #expect(files.resolverFile == "search x.y\nnameserver 9.9.9.9\noptions ndots:2\n")
  }
}
