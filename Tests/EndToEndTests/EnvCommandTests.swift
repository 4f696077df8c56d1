import DevrunSystem
import DevrunPlan
import DevrunCore
import Foundation
import TestSupport
import Testing

extension EndToEnd.Beginnings {
  /// `devrun env`, and programs that are made for the inside of a cluster.
  @Suite("Environment for other programs")
  struct EnvCommand {
    let cluster = Cluster.shared

    /// What `devrun env` prints; what runs in the namespace is not touched by it.
    private func env(_ arguments: String...) async throws -> Outcome {
      let pods = try await cluster.kubectl.pods(of: "myapp1").map(\.name).sorted()
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.start(["env", "-t", "deployment/myapp1"] + arguments).outcome(within: .seconds(60))
      }
      #expect(outcome.status == .exited(0), "\(outcome)")
      #expect(try await cluster.kubectl.pods(of: "myapp1").map(\.name).sorted() == pods)
      return outcome
    }

    @Test func `devrun env prints variables that a shell can evaluate, without values from Secrets`() async throws {
      let outcome = try await env("--format", "shell", "--env", "GIVEN=it's $HOME")
      let script = "\(cluster.user.work)/variables.sh"
      try cluster.user.write(outcome.output, to: script)
      defer { unlink(script) }
      let shown = try await run([
        "env", "-i", "bash", "-c",
        ". \(script); printf '%s|' \"$GIVEN\" \"$SPACES\" \"$UNICODE\" \"$PASSWORD\" \"$SECRET_password\" \"$MULTI_LINE\"",
      ]).output
      let lines = "first line\n  'second' \"line\" with $HOME, `ls` and \\n in it\n\nlast line\n"
      #expect(shown == "it's $HOME|  two before, two after  |grüße, 世界 ✓|***|***|\(lines)|", "\(outcome)")
    }

    @Test func `devrun env prints selected variables as JSON, with secrets if they are requested`() async throws {
      let outcome = try await env(
        "--format", "json", "--show-secrets", "--env-include", "P*", "--env-include", "CFG_*", "--env-exclude", "PEER_*"
      )
      let object = try JSONDecoder().decode([String: String].self, from: Data(outcome.output.utf8))
      #expect(object["PASSWORD"] == "p4ss 'word' \"$1\"\nwith a second line")
      #expect(object["CFG_COLOUR"] == "blue")
      #expect(object["PEER_SERVICE_HOST"] == nil)
      #expect(object["SPACES"] == nil)
      #expect(object["HOME"] == cluster.user.home)
    }

    @Test func `devrun env reports a wrong format and a missing target without touching the cluster`() async throws {
      try await cluster.touchingNothing {
        let format = try await cluster.devrun("env", "-t", "deployment/myapp1", "--format", "xml")
        #expect(format.errors.contains("dotenv, json, shell"), "\(format)")
        #expect(format.status != .exited(0))
        let target = try await cluster.devrun("env")
        #expect(target.errors.contains("--target"), "\(target)")
        #expect(target.status != .exited(0))
      }
    }

    @Test(
      .enabled(if: Settings.pythonPath != nil, "DEVRUN_E2E_PYTHONPATH names no folder with Python's package kubernetes")
    )
    func `A Kubernetes client that is made for the inside of a cluster works unchanged`() async throws {
      let namespace = cluster.kubectl.namespace
      try await cluster.kubectl(
        "create", "rolebinding", "looks", "--clusterrole=view", "--serviceaccount=\(namespace):default")
      do {
        let outcome = try await cluster.leavingNoTrace {
          try await cluster.devrun(
            "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--", "python3", "-c",
            """
            from kubernetes import client, config
            config.load_incluster_config()
            for pod in client.CoreV1Api().list_namespaced_pod("\(namespace)").items: print(pod.metadata.name)
            """, environment: ["PYTHONPATH": RawString(try #require(Settings.pythonPath))])
        }
        #expect(outcome.status == .exited(0), "\(outcome)")
        let names = outcome.output.split(separator: "\n")
        #expect(names.contains("client"), "\(outcome)")
        #expect(names.contains { $0.hasPrefix("myapp1-") }, "\(outcome)")
      } catch {
        try await cluster.kubectl("delete", "rolebinding/looks")
        throw error
      }
      try await cluster.kubectl("delete", "rolebinding/looks")
    }

    @Test func `A Bridge to Kubernetes file is read, and an outside host is reached from the pod`() async throws {
      let path = "\(cluster.user.work)/KubernetesLocalProcessConfig.yaml"
      // A host that only the cluster's DNS knows, of a namespace that the developer may not look at, and one that the
      // tests' user cannot reach.
      let addresses = try await run([
        "kubectl", "get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}",
      ]).output
      let node = try #require(addresses.split(separator: " ").first)
      try cluster.user.write(
        """
        version: 0.1
        volumeMounts:
          - {name: whitelist, localPath: /opt/whitelist}
        env:
          - {name: LIST, value: "$(volumeMounts:whitelist)/whitelist"}
          - {name: PEER, value: "$(services:peer)"}
          - {name: FAR, value: "$(externalendpoints:kubernetes.default.svc.cluster.local:443)"}
          - {name: NODE, value: "$(externalendpoints:\(node):10250)"}
        """, to: path)
      defer { unlink(path) }
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun(
          "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--env-file", path, "--", "sh", "-c",
          """
          cat $LIST; echo $LIST; getent ahostsv4 peer | grep -m1 -c "^$PEER "
          curl -sSk https://$FAR/version | grep -cE 'gitVersion|"Unauthorized"|"Forbidden"'
          python3 -c "import socket; socket.create_connection(('$NODE', 10250), 20); print('connected')"
          """)
      }
      #expect(outcome.output == "10.0.0.1\n10.0.0.2\n/opt/whitelist/whitelist\n1\n1\nconnected\n", "\(outcome)")
    }
  }
}
