import DevrunCore
import DevrunKube
import DevrunSystem
import Glibc
import TestSupport
import Testing

@testable import Minicluster

/// The lives of pods, on a node of a double.
@Suite(.timeLimit(.minutes(2)))
struct KubeletTests {
  @Test func `A pod without probes is ready at once`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["run"])
      let pod = try await trial.wait(until: \.isPodReady)
      #expect(pod.spec["nodeName"] == "minicluster")
      #expect(pod.status["phase"] == "Running")
      #expect(pod.status["podIP"] == "10.97.0.2")
      #expect(pod.status["hostIP"] == "10.97.0.1")
      let status = try #require(pod.containerStatus(named: "main"))
      #expect(status["containerID"] == "minicluster://101")
      #expect((status["ready"], status["started"], status["restartCount"]) == (true, true, 0))
      #expect(
        Set(trial.events) == [
          "Scheduled Successfully assigned team/p to minicluster",
          "Pulled Container image \"busybox:1\" already present on machine", "Created Created container main",
          "Started Started container main",
        ])
    }
  }

  @Test func `The node is registered, and is ready`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["run"])
      try await trial.wait(until: \.isPodReady)
      let node = try #require(trial.store.object(.node, in: nil, named: "minicluster"))
      #expect(node.message(ofCondition: "Ready", being: "True") != nil)
      #expect(node.labels["kubernetes.io/os"] == "linux")
    }
  }

  @Test func `A pod that asks for another node waits, with the scheduler's reason`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["run"], spec: ["nodeSelector": ["a": "b"]])
      let pod = try await trial.wait { $0.message(ofCondition: "PodScheduled", being: "False") != nil }
      #expect(pod.status["phase"] == "Pending")
      #expect(
        trial.events == [
          "FailedScheduling 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        ])
      try trial.store.delete(.pod, in: "team", named: "p")
      try await trial.waitUntilGone()
    }
  }

  @Test func `A container that fails is started again at once, then with a wait`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(
        command: ["exit", "3", "why\n"], container: ["env": [["name": "MESSAGE", "value": "bye\n"]]])
      let pod = try await trial.wait { $0.mainState == "waiting CrashLoopBackOff" }
      let status = try #require(pod.containerStatus(named: "main"))
      #expect(status["restartCount"] == 1)
      #expect(status[path: "lastState", "terminated", "exitCode"] == 3)
      #expect(status[path: "lastState", "terminated", "message"] == "bye\n")
      #expect(
        status[path: "state", "waiting", "message"]
          == .string("back-off 10s restarting failed container=main pod=p_team(\(pod.uid ?? ""))"))
      #expect(pod.status["phase"] == "Running")
      #expect(trial.node.launches.count == 2)
      #expect(try await trial.log() == "why\n")
      var options = LogOptions()
      options.previous = true
      #expect(try await trial.log("p", options) == "why\n")
      // Its wait ends with the pod.
      try trial.store.delete(.pod, in: "team", named: "p")
      try await trial.waitUntilGone()
    }
  }

  @Test(arguments: [("0", "Never", "Succeeded"), ("2", "Never", "Failed"), ("0", "OnFailure", "Succeeded")])
  func `A pod that is not to be restarted ends with its container`(
    code: String, policy: String, phase: String
  ) async throws {
    try await KubeletTrial.with { trial in
      try trial.create(
        command: ["exit", code, "out\n"], container: ["terminationMessagePolicy": "FallbackToLogsOnError"],
        spec: ["restartPolicy": .string(policy)])
      let pod = try await trial.wait { $0.status["phase"]?.string == phase }
      let message = pod.containerStatus(named: "main")?[path: "state", "terminated", "message"]
      #expect(message == (code == "0" ? nil : "out\n"))
      #expect(try await trial.log() == "out\n")
      try trial.store.delete(.pod, in: "team", named: "p")
      try await trial.waitUntilGone()
    }
  }

  @Test func `A program that is missing is a failed start`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["missing"])
      let pod = try await trial.wait { $0.mainState == "waiting CrashLoopBackOff" }
      let last = pod.containerStatus(named: "main")?[path: "lastState", "terminated"]
      #expect(last?["exitCode"] == 128)
      #expect(last?["reason"] == "StartError")
      #expect(last?["startedAt"] == "1970-01-01T00:00:00Z")
      #expect(trial.events.contains("Failed Error: exec: \"missing\": executable file not found in $PATH"))
    }
  }

  @Test func `A pod that is deleted gets SIGTERM, and is gone once its process has ended`() async throws {
    try await KubeletTrial.with { trial in
      let pod = try trial.create(command: ["run"])
      try await trial.wait(until: \.isPodReady)
      try trial.store.delete(.pod, in: "team", named: "p")
      try await trial.waitUntilGone()
      #expect(trial.node.signals == [SIGTERM])
      #expect(trial.node.removed == 1)
      #expect(trial.events.contains("Killing Stopping container main"))
      #expect(try !trial.folder.names(in: "pods").contains(pod.uid ?? ""))
    }
  }

  @Test func `A process that does not end within the grace gets SIGKILL`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(
        command: ["stubborn"], container: ["lifecycle": ["preStop": ["exec": ["command": ["ok", "stop"]]]]],
        spec: ["terminationGracePeriodSeconds": 1])
      try await trial.wait(until: \.isPodReady)
      try trial.store.delete(.pod, in: "team", named: "p")
      try await trial.waitUntilGone()
      #expect(trial.node.signals == [SIGTERM, SIGKILL])
      #expect(trial.node.executed == [["ok", "stop"]])
    }
  }

  @Test func `A pod that is deleted without grace is killed at once`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["stubborn"])
      try await trial.wait(until: \.isPodReady)
      try trial.store.delete(.pod, in: "team", named: "p", ObjectStore.Deletion(gracePeriodSeconds: 0))
      #expect(trial.store.object(.pod, in: "team", named: "p") == nil)
      // A successor of the same name does not wait for the first one.
      try trial.create(command: ["run"])
      try await trial.wait(until: \.isPodReady)
      #expect(trial.node.signals.contains(SIGKILL))
    }
  }

  @Test func `Init containers run one after the other, and before the others`() async throws {
    try await KubeletTrial.with { trial in
      let inits: JSONValue = [
        ["name": "i1", "image": "i", "command": ["exit", "0", "first\n"]],
        ["name": "i2", "image": "i", "command": ["exit", "0"]],
      ]
      try trial.create(command: ["run"], spec: ["initContainers": inits])
      let pod = try await trial.wait(until: \.isPodReady)
      #expect(trial.node.launches.map { $0.command.first } == ["exit", "exit", "run"])
      let statuses = pod.status["initContainerStatuses"]?.array ?? []
      #expect(statuses.map { $0["ready"] } == [true, true])
      #expect(statuses.map { $0["started"] } == [nil, nil])
      var options = LogOptions()
      options.container = "i1"
      #expect(try await trial.log("p", options) == "first\n")
    }
  }

  @Test func `A pod whose init container fails for good has failed`() async throws {
    try await KubeletTrial.with { trial in
      let inits: JSONValue = [["name": "i1", "image": "i", "command": ["exit", "1"]]]
      try trial.create(command: ["run"], spec: ["initContainers": inits, "restartPolicy": "Never"])
      let pod = try await trial.wait { $0.status["phase"] == "Failed" }
      #expect(pod.mainState == "waiting PodInitializing")
      #expect(trial.node.launches.count == 1)
    }
  }

  @Test func `A container waits for a ConfigMap of its environment, and starts once it is there`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["run", "$(A)"], container: ["envFrom": [["configMapRef": ["name": "cm"]]]])
      let pod = try await trial.wait { $0.mainState == "waiting CreateContainerConfigError" }
      #expect(pod.status["phase"] == "Pending")
      #expect(trial.events.contains("Failed Error: configmap \"cm\" not found"))
      try trial.store.create(
        ["metadata": ["name": "cm", "namespace": "team"], "data": ["A": "1"]], of: .configMap, by: "test")
      try await trial.wait(until: \.isPodReady)
      #expect(trial.node.launches.map(\.command) == [["run", "1"]])
    }
  }

  @Test func `A volume waits for its ConfigMap, and follows it`() async throws {
    try await KubeletTrial.with { trial in
      let mount: JSONValue = ["volumeMounts": [["name": "v", "mountPath": "/v"]]]
      let volumes: JSONValue = [["name": "v", "configMap": ["name": "cm"]]]
      let uid = try #require(try trial.create(command: ["run"], container: mount, spec: ["volumes": volumes]).uid)
      try await trial.waitForEvent("FailedMount MountVolume.SetUp failed for volume \"v\" : configmap \"cm\" not found")
      try trial.store.create(
        ["metadata": ["name": "cm", "namespace": "team"], "data": ["a": "1"]], of: .configMap, by: "test")
      try await trial.wait(until: \.isPodReady)
      let file = "pods/\(uid)/volumes/v/a"
      #expect(try trial.folder.text(of: file) == "1")
      #expect(trial.node.launches[0].mounts.contains { $0.target == "/v" && $0.isReadOnly })
      try trial.store.update(.configMap, in: "team", named: "cm", by: "test") { $0.json["data"] = ["a": "2"] }
      let end = ContinuousClock.now + .seconds(1)
      while try trial.folder.text(of: file) != "2" {
        try #require(ContinuousClock.now < end)
        await Task.yield()
      }
    }
  }

  @Test func `A container is ready when its probe succeeds, after its startup probe`() async throws {
    try await KubeletTrial.with { trial in
      let startup: JSONValue = ["exec": ["command": ["gate"]], "periodSeconds": 1, "failureThreshold": 100]
      try trial.create(
        command: ["run"], container: ["startupProbe": startup, "readinessProbe": ["exec": ["command": ["ok"]]]])
      try await trial.waitForEvent("Unhealthy Startup probe failed")
      let pod = try #require(trial.store.object(.pod, in: "team", named: "p"))
      #expect(pod.containerStatus(named: "main")?["started"] == false)
      #expect(!trial.node.executed.contains(["ok"]))
      trial.node.gate.set(true)
      try await trial.wait(until: \.isPodReady)
    }
  }

  @Test func `A container that takes a moment to be ready is asked again within the first period`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["run"], container: ["readinessProbe": ["exec": ["command": ["gate"]]]])
      try await trial.wait { $0.mainState == "running" }
      trial.node.gate.set(true)
      try await trial.wait(until: \.isPodReady)
      #expect(!trial.events.contains { $0.hasPrefix("Unhealthy") })
    }
  }

  @Test func `A container whose liveness probe fails is restarted`() async throws {
    try await KubeletTrial.with { trial in
      let probe: JSONValue = ["exec": ["command": ["fail", "no\n"]], "failureThreshold": 1]
      try trial.create(command: ["run"], container: ["livenessProbe": probe])
      let pod = try await trial.wait { $0.containerStatus(named: "main")?["restartCount"] == 1 }
      #expect(pod.containerStatus(named: "main")?[path: "lastState", "terminated", "exitCode"] == 143)
      #expect(trial.events.contains("Unhealthy Liveness probe failed: no\n"))
      #expect(trial.events.contains("Killing Container main failed liveness probe, will be restarted"))
    }
  }

  @Test func `A probe's command that takes too long is killed`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(
        command: ["run"], container: ["readinessProbe": ["exec": ["command": ["hang"]], "periodSeconds": 1]])
      try await trial.waitForEvent("Unhealthy Readiness probe failed: command timed out: \"hang\" timed out after 1s")
      let pod = try #require(trial.store.object(.pod, in: "team", named: "p"))
      #expect(pod.containerStatus(named: "main")?["ready"] == false)
    }
  }

  @Test func `A hook that fails after the start ends the container`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(
        command: ["run"], container: ["lifecycle": ["postStart": ["exec": ["command": ["fail", "no"]]]]],
        spec: ["restartPolicy": "Never"])
      try await trial.wait { $0.status["phase"] == "Failed" }
      #expect(trial.events.contains("FailedPostStartHook PostStartHook failed: no"))
    }
  }

  @Test(
    arguments: [
      (nil, "container \"main\" in pod \"p\" is waiting to start: CreateContainerConfigError"),
      ("zz", "container zz is not valid for pod p"),
    ] as [(String?, String)]) func `A log that there is not is refused in the API's words`(
      container: String?, message: String
    ) async throws
  {
    try await KubeletTrial.with { trial in
      try trial.create(command: ["run"], container: ["envFrom": [["configMapRef": ["name": "cm"]]]])
      try await trial.wait { $0.mainState == "waiting CreateContainerConfigError" }
      var options = LogOptions()
      options.container = container
      let failure = await #expect(throws: APIFailure.self) { _ = try await trial.log("p", options) }
      #expect(failure?.status.code == 400)
      #expect(failure?.status.message == message)
    }
  }

  @Test func `A container without a command cannot be created`() async throws {
    try await KubeletTrial.with { trial in
      try trial.create(command: [])
      try await trial.wait { $0.mainState == "waiting CreateContainerError" }
      #expect(trial.events.contains("Failed Error: no command specified"))
    }
  }
}

extension KubeObject {
  /// Whether the pod is ready.
  var isPodReady: Bool { message(ofCondition: "Ready", being: "True") != nil }
}
