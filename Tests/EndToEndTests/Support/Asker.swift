import DevrunCore
import Glibc
import TestSupport

/// One request of a client in the cluster, and what came of it.
struct Answer: Sendable, CustomStringConvertible {
  /// When the request was made and when its answer was there, in seconds since this machine was booted.
  var asked: Double
  var answered: Double
  /// The answer's body; or the reason why there is none, behind `failed:`.
  var text: String

  var isFailure: Bool { text.hasPrefix("failed:") }
  var isFromHere: Bool { text == "the app on this machine" }
  var isFromCluster: Bool { text == "the app in the cluster" }
  var description: String { "\(text) (asked at \(asked), answered at \(answered))" }
}

extension Cluster {
  /// The seconds since this machine was booted.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Has the pod `client` ask a service all the time while something goes on, each time by a connection of its own
  /// that waits for no earlier one.
  ///
  /// - Parameters:
  ///   - service: the service's name.
  ///   - pause: the time between two requests.
  /// - Returns: what the body returned, and all requests in the order in which they were made.
  func asking<Value: Sendable>(
    _ service: String, every pause: Duration = .milliseconds(100), _ body: () async throws -> Value
  ) async throws -> (Value, [Answer]) {
    let offset = try await clockOffset()
    let file = "/tmp/asked-\(UInt32.random(in: 0...UInt32.max))"
    let microseconds = pause.components.seconds * 1_000_000 + pause.components.attoseconds / 1_000_000_000_000
    async let asked = kubectl.script(
      in: "client",
      """
      while [ ! -e \(file).stop ]; do
        {
          read from rest </proc/uptime
          answer=$(timeout 10 wget -qO- http://\(service)/ 2>&1) || answer="failed: $answer"
          read to rest </proc/uptime
          echo $from $to $answer >>\(file)
        } &
        usleep \(microseconds)
      done
      wait; cat \(file); rm \(file) \(file).stop
      """, within: .seconds(300))
    let value: Value
    do {
      try await kubectl.script(in: "client", "until [ -s \(file) ]; do usleep 10000; done")
      value = try await body()
    } catch {
      try await kubectl.script(in: "client", "touch \(file).stop")
      throw error
    }
    try await kubectl.script(in: "client", "touch \(file).stop")
    let answers = try await asked.split(separator: "\n").map { line in
      let parts = line.split(separator: " ", maxSplits: 2)
      guard parts.count == 3, let from = Double(parts[0]), let to = Double(parts[1]) else {
        throw TestFailure("the client's line is not understood: \(line)")
      }
      return Answer(asked: from + offset, answered: to + offset, text: String(parts[2]))
    }
    return (value, answers.sorted { $0.asked < $1.asked })
  }

  /// What must be added to the uptime that the pod `client` reads: nothing if it runs on this machine.
  private func clockOffset() async throws -> Double {
    let before = Self.now()
    let text = try await kubectl.script(in: "client", "cut -d' ' -f1 /proc/uptime").trimmed
    let after = Self.now()
    guard let uptime = Double(text) else { throw TestFailure("no uptime: \(text)") }
    return uptime > before - 0.02 && uptime < after + 0.02 ? 0 : (before + after) / 2 - uptime
  }

  /// How many seconds it takes from the request for a pod of a Deployment's template until that pod is ready.
  func startOfOnePod(like deployment: String) async throws -> Double {
    let object = try await kubectl.json("deployment/\(deployment)")
    let pod: JSONValue = [
      "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "measured", "labels": ["app": "measured"]],
      "spec": object[path: "spec", "template", "spec"] ?? [:],
    ]
    let start = Self.now()
    try await kubectl.apply(String(decoding: pod.text, as: UTF8.self))
    try await kubectl("wait", "--for=condition=Ready", "pod/measured", "--timeout=60s")
    let seconds = Self.now() - start
    try await kubectl("delete", "pod/measured", "--force", "--grace-period=0", "--wait")
    return seconds
  }

  /// Runs something while `myapp1` has a number of pods.
  func with(replicas count: Int, _ body: () async throws -> Void) async throws {
    try await scale(to: count)
    do {
      try await body()
    } catch {
      try await scale(to: replicas)
      throw error
    }
    try await scale(to: replicas)
  }

  private func scale(to count: Int) async throws {
    try await kubectl("scale", "deployment/myapp1", "--replicas=\(count)")
    try await kubectl.settled()
  }
}
