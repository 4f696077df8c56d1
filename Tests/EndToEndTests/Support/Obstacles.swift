import TestSupport

extension Cluster {
  /// Runs something while a quota has room for a number of pods.
  func with(quota pods: Int, _ body: () async throws -> Void) async throws {
    let quota = """
      apiVersion: v1
      kind: ResourceQuota
      metadata: {name: full}
      spec: {hard: {pods: "\(pods)"}}
      """
    try await kubectl.apply(quota)
    do {
      try await eventually {
        try await kubectl.value("quota/full", ".status.used.pods") == "" ? "quota is not counted" : nil
      }
      try await body()
    } catch {
      try await kubectl.delete(manifest: quota)
      throw error
    }
    try await kubectl.delete(manifest: quota)
  }

  /// How many thousandths of a processor the first node has for pods.
  func processors() async throws -> Int {
    let text = try await run(["kubectl", "get", "nodes", "-o", "jsonpath={.items[0].status.allocatable.cpu}"]).output
    let number = text.hasSuffix("m") ? Int(text.dropLast()) : Int(text).map { $0 * 1000 }
    guard let number else { throw TestFailure("the node has \(text) processors") }
    return number
  }

  /// Runs something while an admission policy refuses each port-forward of the first namespace, whatever the rights
  /// are: a webhook at an address where nobody listens, which must not be passed by.
  func refusingPortForwards(_ body: () async throws -> Void) async throws {
    let name = kubectl.namespace
    let webhook = """
      apiVersion: admissionregistration.k8s.io/v1
      kind: ValidatingWebhookConfiguration
      metadata: {name: \(name)}
      webhooks:
      - name: no-port-forward.example.com
        admissionReviewVersions: [v1]
        sideEffects: None
        failurePolicy: Fail
        timeoutSeconds: 2
        namespaceSelector: {matchLabels: {e2e: \(name)}}
        rules: [{operations: [CONNECT], apiGroups: [""], apiVersions: [v1], resources: [pods/portforward]}]
        clientConfig: {url: "https://127.0.0.1:1/"}
      """
    try await kubectl.apply(webhook)
    do {
      // The API server learns of the policy a moment later.
      try await eventually(within: .seconds(20)) {
        let attempt = try await run(
          ["timeout", "5", "kubectl", "-n", name, "port-forward", "pod/client", ":1"], expecting: nil)
        return attempt.output.isEmpty || attempt.errors.contains("webhook") ? nil : "port-forwards are let in"
      }
      try await body()
    } catch {
      try await kubectl("delete", "validatingwebhookconfiguration/\(name)")
      throw error
    }
    try await kubectl("delete", "validatingwebhookconfiguration/\(name)")
  }
}
