import DevrunConfig
import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunKube

@Suite("Credential plugins")
struct PluginRunnerTests {
  private func run(
    _ plugin: ExecCredentialPlugin, environment: EnvironmentVariables = ["PATH": "/usr/bin:/bin"],
    canAsk: Bool = false
  ) async throws -> ExecCredential {
    try await PluginRunner(plugin: plugin, environment: environment, askingGroup: { canAsk ? getpgrp() : nil }).run()
  }

  private func failure(
    _ plugin: ExecCredentialPlugin, environment: EnvironmentVariables = ["PATH": "/usr/bin:/bin"]
  ) async throws -> CredentialError? {
    try await caught(CredentialError.self) { _ = try await run(plugin, environment: environment) }
  }

  @Test func `A plugin gets its arguments, its environment and the exec info, but no open descriptors`() async throws {
    let folder = try TemporaryFolder()
    let script =
      #"""
      printf '%s|' "$@" >"$OUT/arguments"
      printf '%s' "$HOME|$SET|$ODD" >"$OUT/variables"
      printf '%s' "$KUBERNETES_EXEC_INFO" >"$OUT/info"
      ls -l /proc/self/fd >"$OUT/descriptors"
      [ -t 0 ] || cat >"$OUT/input"
      echo '\#(credentialText(#"{"token":"t"}"#, apiVersion: v1beta1))'
      """#
    let odd: [UInt8] = [0x61, 0xff, 0x62]
    // A descriptor that would be inherited.
    let open = open(folder.path("private-file"), O_CREAT | O_RDWR, 0o600)
    #expect(open > 2)
    defer { close(open) }
    let credential = try await run(
      try folder.plugin(
        script, apiVersion: v1beta1, arguments: ["get-token", "a b", ""],
        environment: [.init(name: "SET", value: "by the kubeconfig")],
        cluster: .init(
          server: "https://kube.test", tlsServerName: "n", certificateAuthority: Array("CA".utf8),
          config: ["audience": "me"])),
      environment: [
        "PATH": "/usr/bin:/bin", "HOME": "/home/me", "SET": "by the user", "ODD": RawString(odd),
        "OUT": RawString(folder.path),
      ])
    #expect(credential.token == "t")
    #expect(try folder.text(of: "arguments") == "get-token|a b||")
    let variables = Array(try Data(contentsOf: URL(filePath: folder.path("variables"))))
    #expect(variables == Array("/home/me|by the kubeconfig|".utf8) + odd)
    let info = try JSONValue(text: Array(try folder.text(of: "info").utf8))
    #expect(
      info == [
        "apiVersion": .string(v1beta1), "kind": "ExecCredential",
        "spec": [
          "interactive": false,
          "cluster": [
            "server": "https://kube.test", "tls-server-name": "n", "certificate-authority-data": "Q0E=",
            "config": ["audience": "me"],
          ],
        ],
      ])
    #expect(try folder.text(of: "input") == "")
    #expect(try folder.text(of: "descriptors").contains("/dev/null"))
    #expect(try !folder.text(of: "descriptors").contains("private-file"))
  }

  @Test func `A plugin is found in the user's PATH`() async throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("devrun-test-login"), withDestinationPath: "/bin/sh")
    let plugin = ExecCredentialPlugin(
      apiVersion: v1, command: "devrun-test-login",
      arguments: ["-c", "echo '\(credentialText(#"{"token":"t"}"#))'"])
    let credential = try await run(plugin, environment: ["PATH": RawString("/nowhere:\(folder.path):/bin")])
    #expect(credential.token == "t")
  }

  @Test func `A plugin that is not installed is reported with its install hint`() async throws {
    let plugin = ExecCredentialPlugin(apiVersion: v1, command: "devrun-test-missing", installHint: "install it so")
    let error = try await failure(plugin)
    #expect(error == .pluginNotFound(command: "devrun-test-missing", installHint: "install it so"))
    #expect(error?.message.remedy == "install it so")
  }

  @Test func `A plugin that is named by its path is reported by what is in its way`() async throws {
    let folder = try TemporaryFolder()
    let missing = try await failure(
      ExecCredentialPlugin(apiVersion: v1, command: folder.path("login"), installHint: "install it so"))
    #expect(missing?.message.why == "the kubeconfig names it, and it does not exist")
    #expect(missing?.message.remedy == "install it so")
    let file = try folder.write("file", "")
    let closed = try await failure(ExecCredentialPlugin(apiVersion: v1, command: file))
    #expect(closed == .pluginNotStarted(command: file, problem: "Permission denied"))
    let directory = try await failure(ExecCredentialPlugin(apiVersion: v1, command: folder.path))
    #expect(directory == .pluginNotStarted(command: folder.path, problem: "it is a directory"))
  }

  @Test func `A plugin is searched in PATH alone, whose empty entries are not the working directory`() async throws {
    await #expect(processExitsWith: .success) {
      try #require(chdir("/bin") == 0)
      let plugin = ExecCredentialPlugin(apiVersion: v1, command: "sh")
      for environment: EnvironmentVariables in [[:], ["PATH": ""], ["PATH": ":"], ["PATH": "/nowhere:"]] {
        await #expect(throws: CredentialError.pluginNotFound(command: "sh", installHint: nil)) {
          _ = try await PluginRunner(plugin: plugin, environment: environment, askingGroup: { nil }).run()
        }
      }
    }
  }

  @Test func `A variable that the plugin cannot be given does not keep it from running`() async throws {
    let folder = try TemporaryFolder()
    let plugin = try folder.plugin(
      #"""
      echo '{"apiVersion":"\#(v1)","kind":"ExecCredential","status":{"token":"'$PLAIN'"}}'
      """#)
    let credential = try await run(plugin, environment: ["PATH": "/usr/bin:/bin", "1X": "y", "PLAIN": "z"])
    #expect(credential.token == "z")
  }

  @Test(
    arguments: [
      ("exit 3", CredentialError.pluginFailed(command: "", ending: "it ended with status 3")),
      ("kill -9 $$", .pluginFailed(command: "", ending: "it was ended by signal 9")),
    ])
  func `A failing plugin is reported with its exit status or signal`(
    script: String, expected: CredentialError
  ) async throws {
    let folder = try TemporaryFolder()
    let error = try await failure(
      try folder.plugin(script))
    #expect(error?.message.why == expected.message.why)
  }

  @Test func `The exec info shows if a plugin may prompt, and one that must prompt needs a terminal`() async throws {
    let folder = try TemporaryFolder()
    var plugin = try folder.plugin(
      #"""
      case "$KUBERNETES_EXEC_INFO" in *'"interactive":true'*) t=yes;; *) t=no;; esac
      echo '{"apiVersion":"\#(v1)","kind":"ExecCredential","status":{"token":"'$t'"}}'
      """#)
    for (mode, canAsk, expected) in [
      (ExecCredentialPlugin.InteractiveMode.never, true, "no"), (.ifAvailable, true, "yes"),
      (.ifAvailable, false, "no"), (.always, true, "yes"),
    ] {
      plugin.interactiveMode = mode
      let credential = try await run(plugin, canAsk: canAsk)
      #expect(credential.token == expected)
    }
    plugin.interactiveMode = .always
    let error = try await failure(plugin)
    #expect(error == .pluginNeedsTerminal(command: "sh"))
  }

  @Test func `A plugin of an unknown API version is not run`() async throws {
    let old = "client.authentication.k8s.io/v1alpha1"
    let error = try await failure(ExecCredentialPlugin(apiVersion: old, command: "sh"))
    #expect(error == .pluginVersion(command: "sh", apiVersion: old))
  }

  @Test func `The wait for a plugin ends when its task is cancelled`() async throws {
    let folder = try TemporaryFolder()
    let fifo = try Fifo(folder.path("fifo"))
    // The script tells that it runs, and would wait for good.
    let plugin = try folder.plugin("echo started >'\(fifo.path)'; exec sleep 1000000")
    let source = CredentialSource(
      Credentials(authorization: .exec(plugin))
    ) { plugin in
      try await PluginRunner(plugin: plugin, environment: ["PATH": "/usr/bin:/bin"], askingGroup: { nil }).run()
    }
    let waiting = Task { try await source.credential() }
    #expect(try await Transcript(of: fifo).whole() == "started\n")
    waiting.cancel()
    await #expect(throws: CancellationError.self) { _ = try await waiting.value }
  }
}
