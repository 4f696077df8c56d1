import DevrunCore
@testable import DevrunKube
import NIOHTTP1

/// Somebody else who works on the app, by the API and under a name of their own, and has never heard of devrun.
struct Colleague: Sendable {
  /// Under which name the API server records who changed an object.
  static let query = [(name: "fieldManager", value: "colleague")]

  let stage: Stage
  /// The name that the API server records.
  var name = "colleague"

  /// Sets the number of the app's pods, as `kubectl scale` does.
  func scale(to replicas: Int) async throws {
    try await patch(
      app.subresource("scale"), type: "application/merge-patch+json",
      ["spec": ["replicas": .int(Int64(replicas))]])
  }

  /// Adds a variable to the app's environment, as `kubectl set env` does.
  func setVariable(_ name: String, to value: String) async throws {
    try await patch(
      app, type: "application/json-patch+json",
      [
        [
          "op": "add", "path": "/spec/template/spec/containers/0/env/-",
          "value": ["name": .string(name), "value": .string(value)],
        ]
      ])
  }

  /// Mounts the app's Secret at further paths, as a new manifest does.
  func mountSecret(at paths: [String]) async throws {
    let mounts = paths.map { path -> JSONValue in
      [
        "op": "add", "path": "/spec/template/spec/containers/0/volumeMounts/-",
        "value": ["name": "secret", "mountPath": .string(path)],
      ]
    }
    try await patch(app, type: "application/json-patch+json", .array(mounts))
  }

  /// Applies the probe as it is in the team's manifest.
  func resetProbe() async throws {
    try await patch(
      app, type: "application/json-patch+json",
      [
        [
          "op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe",
          "value": ["httpGet": ["path": "/", "port": "http"], "periodSeconds": 1, "timeoutSeconds": 5],
        ]
      ])
  }

  private var app: ResourcePath { .deployments(in: stage.namespace).named("app") }

  private func patch(_ path: ResourcePath, type: String, _ body: JSONValue) async throws {
    var request = APIRequest(.PATCH, "patch", path, query: [(name: "fieldManager", value: name)], body: body)
    request.contentType = type
    _ = try await stage.client.send(request)
  }
}
