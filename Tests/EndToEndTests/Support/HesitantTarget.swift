import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing

/// A target on which a session may have to wait, and how it must end nevertheless: `fixtures/cluster/hesitant.yaml` with
/// a fault.
struct HesitantTarget: Sendable, CustomTestStringConvertible {
  /// How a session on it goes.
  enum Way: Sendable {
    /// The Service passes its connections on to the command.
    case served
    /// The command answers at the address of a replaced pod, which is not ready or not the only one.
    case reached
    /// devrun ends with one of these words.
    case refused([String])
  }

  /// What stands in the way beside the target.
  enum Obstacle: Sendable {
    /// A quota that has room for one pod more.
    case quota
    /// An admission policy that refuses each port-forward.
    case portForward
    /// Somebody who pauses the Deployment once it is replaced.
    case pause
  }

  /// The fault, in words.
  var fault: String
  /// What is different in the Deployment. `HALF` stands for a little more than half of a node's processors.
  var patch = "{}"
  var obstacle: Obstacle?
  /// Whether the Service passes connections on to the app when nobody has a session.
  var isReady = true
  var way: Way

  var testDescription: String { fault }

  /// The time that each run and each restore may take.
  static let limit = 45.0
  /// What is different in the one container.
  private static func container(_ fields: String) -> String {
    #"{"spec": {"template": {"spec": {"containers": [{"name": "hesitant", \#(fields)}]}}}}"#
  }
  private static func sidecar(_ fields: String) -> String {
    """
    {"spec": {"template": {"spec": {"containers": [{"name": "sidecar", "image": "kube-e2e/busybox:1",
    "imagePullPolicy": "IfNotPresent", \(fields)}]}}}}
    """
  }

  static let broken = [
    HesitantTarget(
      fault: "it is never ready",
      patch: container(#""readinessProbe": {"tcpSocket": null, "exec": {"command": ["false"]}}"#), isReady: false,
      way: .served),
    HesitantTarget(
      fault: "it crashes at once", patch: container(#""command": ["false"], "args": null"#),
      isReady: false, way: .served),
    HesitantTarget(
      fault: "its image is gone", patch: container(#""image": "kube-e2e/gone:1""#), isReady: false,
      way: .refused(["kube-e2e/gone:1"])),
  ]
  static let crowded = [
    HesitantTarget(
      fault: "its node has no room for a second one", patch: container(#""resources": {"requests": {"cpu": "HALF"}}"#),
      way: .refused(["Insufficient cpu"])),
    HesitantTarget(fault: "a quota has no room for it", obstacle: .quota, way: .refused(["exceeded quota"])),
    HesitantTarget(
      fault: "its port-forwards are refused", obstacle: .portForward, way: .refused(["admission", "webhook"])),
  ]
  static let gated = [
    HesitantTarget(
      fault: "a load balancer has to find it ready",
      patch: #"{"spec": {"template": {"spec": {"readinessGates": [{"conditionType": "example.com/balanced"}]}}}}"#,
      isReady: false, way: .reached),
    HesitantTarget(
      fault: "a sidecar is ready once the app answers",
      patch: sidecar(
        """
        "command": ["sleep", "86400"], "readinessProbe": {"periodSeconds": 1,
        "exec": {"command": ["wget", "-qO-", "http://127.0.0.1:8080/"]}}
        """), way: .served),
    HesitantTarget(
      fault: "a sidecar crashes",
      patch: sidecar(#""command": ["false"], "readinessProbe": {"exec": {"command": ["false"]}}"#), isReady: false,
      way: .reached),
  ]
  static let slow = [
    HesitantTarget(
      fault: "it has to be ready for 20 seconds", patch: #"{"spec": {"minReadySeconds": 20}}"#, way: .reached),
    HesitantTarget(fault: "it is paused in mid-session", obstacle: .pause, way: .served),
  ]
}

extension HesitantTarget {
  /// Runs a session on it, which works or ends in time, and leaves no trace.
  func runSession() async throws {
    let cluster = Cluster.shared
    try await placed {
      try await cluster.leavingNoTrace(restless: "hesitant") {
        try await obstructed {
          let start = Cluster.now()
          let process = try begin()
          if case .refused(let words) = way {
            // The server's standard input stays open: it does not end by itself.
            let status = try await process.status(within: .seconds(90))
            let errors = process.errors.text
            #expect(status == .exited(125), "\(errors)")
            #expect(words.contains(where: errors.contains), "\(errors)")
            #expect(Cluster.now() - start < Self.limit, "\(errors)")
            return
          }
          try await arrives(process)
          #expect(Cluster.now() - start < Self.limit)
          try await disturb()
          let end = Cluster.now()
          let outcome = try await process.outcome(within: .seconds(90))
          #expect(outcome.status == .exited(0), "\(outcome)")
          #expect(Cluster.now() - end < Self.limit, "\(outcome)")
        }
      }
    }
  }

  /// Kills a session on it when it works or waits, and restores it in time.
  func restoreKilledSession() async throws {
    let cluster = Cluster.shared
    try await placed {
      try await cluster.leavingNoTrace(restless: "hesitant") {
        try await obstructed {
          let process = try begin()
          if case .refused(let words) = way {
            // The reason is there long before the end.
            try await eventually(within: .seconds(20)) {
              words.contains(where: process.errors.text.contains) ? nil : "no word of it: \(process.errors.text)"
            }
          } else {
            try await arrives(process)
            try await disturb()
          }
          try await cluster.killSession(process)
          let start = Cluster.now()
          let outcome = try await cluster.devrun("restore", "deployment/hesitant", within: .seconds(90))
          #expect(outcome.status == .exited(0), "\(outcome)")
          #expect(Cluster.now() - start < Self.limit, "\(outcome)")
        }
      }
    }
  }

  private func begin() throws -> TestProcess {
    let cluster = Cluster.shared
    return try cluster.start([
      "--start-timeout", "30s", "-t", "deployment/hesitant", "-p", "8080:\(cluster.port)", "--", "python3",
      "\(cluster.fixtures)/late.py", "0", "\(cluster.port)",
    ])
  }

  /// Waits until the command is asked by the cluster's client.
  private func arrives(_ process: TestProcess) async throws {
    let cluster = Cluster.shared
    do {
      try await process.output.wait(for: "listens", within: .seconds(Self.limit))
      if case .served = way {
        return try await cluster.serves("wget -qO- http://hesitant/", "the app on this machine")
      }
      try await eventually(within: .seconds(Self.limit)) {
        for pod in try await cluster.kubectl.pods(of: "hesitant") {
          let answer = try await cluster.kubectl.script(
            in: "client", "timeout 5 wget -qO- http://\(pod.address):8080/ 2>&1; true")
          if answer == "the app on this machine\n" { return nil }
        }
        return "no pod answers for the command: \(process.errors.text)"
      }
    } catch {
      await process.stop()
      throw error
    }
  }

  /// Makes the target for the time of a run.
  private func placed(_ body: () async throws -> Void) async throws {
    let cluster = Cluster.shared
    let parts = try cluster.manifest("hesitant").components(separatedBy: "\n---\n")
    let change = cluster.manifest(text: patch)
      .replacingOccurrences(of: "HALF", with: "\(try await cluster.processors() * 11 / 20)m")
    let deployment = try await run(
      ["kubectl", "patch", "--local", "-f", "-", "--type=strategic", "-p", change, "-o", "json"], input: parts[0]
    ).output
    do {
      for part in [deployment, parts[1]] { try await cluster.kubectl.apply(part) }
      try await isPlaced()
      try await body()
    } catch {
      for part in [parts[1], deployment] { try await cluster.kubectl.delete(manifest: part) }
      throw error
    }
    for part in [parts[1], deployment] { try await cluster.kubectl.delete(manifest: part) }
  }

  /// Waits until the target is as it will be: ready, or known as not ready.
  private func isPlaced() async throws {
    let cluster = Cluster.shared
    if isReady { return try await cluster.serves("wget -qO- http://hesitant/", "the app in the cluster") }
    try await cluster.kubectl.settled(restless: "hesitant")
    try await eventually {
      try await cluster.kubectl.value("endpoints/hesitant", ".subsets[0].notReadyAddresses[0].ip") == ""
        ? "the Service does not know the pod" : nil
    }
  }

  private func disturb() async throws {
    guard obstacle == .pause else { return }
    try await Cluster.shared.kubectl("rollout", "pause", "deployment/hesitant")
  }

  /// Puts the obstacle up for the time of a session.
  private func obstructed(_ body: () async throws -> Void) async throws {
    let cluster = Cluster.shared
    switch obstacle {
    case nil: try await body()
    case .pause:
      try await body()
      try await cluster.kubectl("rollout", "resume", "deployment/hesitant")
    case .quota:
      let pods = try await cluster.kubectl.json("pods")["items"]?.array?.count ?? 0
      try await cluster.with(quota: pods + 1, body)
    case .portForward: try await cluster.refusingPortForwards(body)
    }
  }
}
