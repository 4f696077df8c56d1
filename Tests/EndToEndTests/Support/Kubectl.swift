import DevrunCore
import Foundation
import TestSupport

/// kubectl with the rights of whoever runs the tests, in one namespace.
struct Kubectl: Sendable {
  let namespace: String
  /// The kinds of objects that ``everything()`` is about.
  var kinds: [String] = []
  /// The options that make it print managed fields.
  var managedFields: [String] = []

  /// Runs kubectl and returns what it wrote.
  @discardableResult
  func callAsFunction(_ arguments: String..., input: String = "") async throws -> String {
    try await run(["kubectl", "-n", namespace] + arguments, input: input).output
  }

  /// An object or a list as the API has it.
  func json(_ arguments: String...) async throws -> JSONValue {
    try Self.parse(try await run(["kubectl", "-n", namespace, "get"] + arguments + ["-o", "json"]).output)
  }

  /// One value of one object, by JSONPath.
  func value(_ object: String, _ path: String) async throws -> String {
    try await self("get", object, "-o", "jsonpath={\(path)}")
  }

  /// Runs a shell script in a pod.
  @discardableResult
  func script(in pod: String, _ script: String, within limit: Duration = .seconds(90)) async throws -> String {
    try await run(["kubectl", "-n", namespace, "exec", pod, "--", "sh", "-c", script], within: limit).output
  }

  /// Applies the text of a manifest.
  func apply(_ manifest: String) async throws { try await self("apply", "-f", "-", input: manifest) }

  /// Deletes the objects of a manifest and returns when they and all that they owned are gone.
  func delete(manifest: String) async throws {
    try await self("delete", "--ignore-not-found", "--cascade=foreground", "--wait", "-f", "-", input: manifest)
  }

  /// Awaits that every Deployment runs what it asks for and that no pod is on its way out. A kubelet takes 10 seconds
  /// and more to remove a pod whose containers have all ended; such a pod is removed here.
  ///
  /// - Parameter restless: an app of which only the number of pods is awaited, and not that they run.
  func settled(restless: String? = nil) async throws {
    // Each kubectl takes a good part of a second of computing, which others need.
    try await eventually(within: .seconds(90), every: .milliseconds(700)) {
      let items = try await json("deployments,pods")["items"]?.array ?? []
      for item in items {
        let name = item[path: "metadata", "name"]?.string ?? "?"
        if item["kind"]?.string == "Pod" {
          if item[path: "metadata", "deletionTimestamp"] != nil {
            let statuses = item[path: "status", "containerStatuses"]?.array ?? []
            if !statuses.isEmpty, statuses.allSatisfy({ $0[path: "state", "running"] == nil }) {
              try await self("delete", "pod", name, "--ignore-not-found", "--force", "--grace-period=0", "--wait=false")
            }
            return "pod \(name) is ending"
          }
          if let restless, item[path: "metadata", "labels", "app"]?.string == restless { continue }
          if item[path: "status", "phase"]?.string != "Running" { return "pod \(name) is not running" }
        } else {
          let wanted = item[path: "spec", "replicas"]?.int ?? 1
          let names = ["replicas", "updatedReplicas"] + (name == restless ? [] : ["availableReplicas"])
          let counts = names.map { item[path: "status", $0]?.int ?? 0 }
          let isSeen = item[path: "status", "observedGeneration"]?.int == item[path: "metadata", "generation"]?.int
          if !isSeen || counts.contains(where: { $0 != wanted }) { return "deployment \(name) is not settled" }
        }
      }
      return nil
    }
  }

  /// The pods of an app that run and are not on their way out.
  func pods(of app: String) async throws -> [Pod] { try await pods("app=\(app)") }

  /// The pods that a selector selects, that run and are not on their way out.
  private func pods(_ selector: String) async throws -> [Pod] {
    (try await json("pods", "-l", selector)["items"]?.array ?? []).compactMap { item in
      guard item[path: "metadata", "deletionTimestamp"] == nil, let name = item[path: "metadata", "name"]?.string,
        let address = item[path: "status", "podIP"]?.string
      else { return nil }
      let restarts = item[path: "status", "containerStatuses"]?.array?.first?["restartCount"]?.int ?? 0
      return Pod(name: name, address: address, restarts: restarts)
    }
  }

  /// The pod that gives the one running session its environment, its volumes and its way out.
  func sessionPod() async throws -> Pod {
    let pods = try await pods("devrun.dev/session")
    guard let pod = pods.first, pods.count == 1 else {
      throw TestFailure("there is not one session pod but: \(pods.map(\.name))")
    }
    return pod
  }

  /// What a test asks of a pod.
  struct Pod: Sendable {
    var name: String
    var address: String
    var restarts: Int
  }

  static func parse(_ text: String) throws -> JSONValue { try JSONValue(text: text.utf8) }
}
