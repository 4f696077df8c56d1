import DevrunSystem
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// The example file of Azure Dev Spaces' documentation, as it stands.
  @Suite("azds-local.env")
  struct LocalEnvFile {
    let cluster = Cluster.shared

    @Test func `The documented azds-local.env works as it stands, and local sockets still answer`() async throws {
      let cleanUp = CleanUp()
      do {
        try await example(cleanUp)
      } catch {
        await cleanUp.run()
        throw error
      }
      await cleanUp.run()
    }

    private func example(_ cleanUp: CleanUp) async throws {
      // The example names this namespace.
      try await Cluster.make(["mynamespace"], cleanUp)
      let mynamespace = Kubectl(namespace: "mynamespace")
      try await mynamespace.apply(try cluster.manifest("other"))
      try await Cluster.grant("view", in: mynamespace, to: "developer", of: cluster.accounts.namespace)
      try await mynamespace.settled()
      try await cluster.serves("wget -qO- http://myapp2.mynamespace:8080/", "myapp2 of another namespace")

      let project = "\(cluster.user.work)/project"
      for folder in [project, "\(project)/.git", "\(project)/src"] { try cluster.user.own(folder) }
      cleanUp.add { try FileManager.default.removeItem(atPath: project) }
      let text = try String(contentsOfFile: Settings.fixture("config/azds-local.env"), encoding: .utf8)
      try cluster.user.write(text, to: "\(project)/azds-local.env")

      let run = try socketFolder(cleanUp)
      let server = try await Self.start(cluster, "unix.py \(run)/socket")

      try await cluster.leavingNoTrace {
        // Or it would be found as something that devrun left.
        defer { kill(server, SIGTERM) }
        let shell = try await SessionShell(
          cluster, ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)"], directory: "\(project)/src")
        do {
          try await check(shell, run)
        } catch {
          try await shell.exit()
          throw error
        }
        let outcome = try await shell.exit()
        #expect(outcome.status == .exited(0), "\(outcome)")
      }
    }

    private func check(_ shell: SessionShell, _ run: String) async throws {
      // A volume in a temporary folder, its path in a variable.
      #expect(try await shell.output("cat \"$WHITELIST_PATH\"") == "10.0.0.1\n10.0.0.2")
      #expect(try await shell.output("echo $WHITELIST_PATH").hasSuffix("/whitelist"))

      // A volume by a pattern, at the path that it has in the container; this machine has none there.
      let account = "/var/run/secrets/kubernetes.io/serviceaccount"
      #expect(try await shell.output("echo $KUBERNETES_IN_CLUSTER_CONFIG_OVERWRITE") == account)
      #expect(!FileManager.default.fileExists(atPath: account))
      let token = try await shell.output("cat \(account)/token")
      let pod = try await shell.output("echo $POD_NAME")
      #expect(token.count > 100)
      #expect(try await cluster.kubectl.script(in: pod, "cat \(account)/token").trimmed == token)
      #expect(try await shell.output("cat \(account)/namespace") == cluster.kubectl.namespace)
      #expect(try await shell.output("head -1 \(account)/ca.crt") == "-----BEGIN CERTIFICATE-----")

      // The API server, as a program in the cluster asks it: by its address in the cluster, with these files.
      let version = try await shell.output(
        """
        curl -sS -m 20 --cacert \(account)/ca.crt -H "Authorization: Bearer $(cat \(account)/token)" \
        https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/version
        """)
      #expect(version.contains("gitVersion"))

      // Two services, each by its variable and by its names.
      let log = "\(cluster.user.work)/requests"
      try await shell.isServed(by: "myapp1", at: cluster.port)
      try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(log)") {
        for name in ["$MYAPP1_SERVICE_HOST", "myapp1", "myapp1.svc.cluster.local"] {
          let answer = try await shell.output("curl -sS -m 20 http://\(name)/")
          #expect(answer == "the app on this machine", "\(name)")
        }
      }
      for name in ["$MYAPP2_SERVICE_HOST", "myapp2.mynamespace", "myapp2.mynamespace.svc.cluster.local"] {
        let answer = try await shell.output("curl -sS -m 20 http://\(name):8080/")
        #expect(answer == "myapp2 of another namespace", "\(name)")
      }
      for name in ["MYAPP1_SERVICE_HOST", "MYAPP2_SERVICE_HOST"] {
        #expect(try await shell.output("echo $\(name)").hasPrefix("127."))
      }

      // Beside the volume, all is as it was: a socket answers, and what is written reaches this machine.
      #expect(
        try await shell.output("curl -sS -m 5 --http0.9 --unix-socket \(run)/socket http://localhost/") == "still here")
      _ = try await shell.output("echo written >\(run)/written")
      #expect(try String(contentsOfFile: "\(run)/written", encoding: .utf8) == "written\n")
    }

    /// A folder under /run that the user can write to.
    private func socketFolder(_ cleanUp: CleanUp) throws -> String {
      let parent =
        cluster.user.isOther ? "/run/\(cluster.user.name)" : ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"]
      let folder = "\(try #require(parent, "XDG_RUNTIME_DIR names no folder under /run"))/e2e"
      try cluster.user.own(folder)
      cleanUp.add { [isOther = cluster.user.isOther] in
        try FileManager.default.removeItem(atPath: isOther ? "/run/\(cluster.user.name)" : folder)
      }
      if cluster.user.isOther { chmod("/run/\(cluster.user.name)", 0o755) }
      return folder
    }

    /// Starts one of the servers of `fixtures/cluster` as the user, outside of any session.
    static func start(_ cluster: Cluster, _ server: String) async throws -> pid_t {
      let words = server.split(separator: " ").map(String.init)
      let outcome = try await run(
        cluster.user.command(["/usr/bin/python3", "\(cluster.fixtures)/\(words[0])"] + words.dropFirst()))
      return try #require(pid_t(outcome.output.trimmed))
    }

    @Test func `All mistakes of an env file are reported with their lines, and nothing is touched`() async throws {
      let path = "\(cluster.user.work)/wrong.env"
      try cluster.user.write("GOOD=1\nONE=${volume.whitelist}\n\nTWO=${services.}\n", to: path)
      let outcome = try await cluster.touchingNothing {
        try await cluster.devrun("-t", "deployment/myapp1", "--env-file", path, "--", "echo", "started")
      }
      #expect(outcome.status == .exited(125), "\(outcome)")
      #expect(outcome.output == "")
      #expect(outcome.errors.contains("wrong.env:2:") && outcome.errors.contains("wrong.env:4:"), "\(outcome)")
    }

    @Test func `A volume that the container lacks is reported with those that it has`() async throws {
      let path = "\(cluster.user.work)/unknown.env"
      try cluster.user.write("PATH_OF_IT=${volumes.whitelits}\n", to: path)
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun("-t", "deployment/myapp1", "--env-file", path, "--", "echo", "started")
      }
      #expect(outcome.status == .exited(125), "\(outcome)")
      #expect(outcome.output == "")
      #expect(outcome.errors.contains("whitelist"), "\(outcome)")
    }
  }
}
