import Testing

extension EndToEnd.Runs {
  /// kubelet renews tokens at once when it is restarted, which breaks the tunnels of all sessions.
  @Suite(
    "Renewed tokens",
    .session(manifest: "volumes", comparesObjects: false) { _ in ["-t", "deployment/volumes", "--take-over", "never"] },
    .alone)
  struct RenewedTokens {
    let cluster = Cluster.shared
    let shell = SessionShell.shared

    @Test(.enabled(if: Settings.hasKube, "DEVRUN_E2E_KUBE names no script that restarts a kubelet"))
    func `A service account token that the kubelet renews is renewed for the command`() async throws {
      let pod = try await shell.output("cat /etc/volumes/all/name")
      let before = try await shell.output("cat /etc/volumes/all/token")
      try await cluster.restartKubelet()
      try await cluster.kubectl("annotate", "pod/\(pod)", "example.com/now=2", "--overwrite")
      let after = try await shell.output(
        "old=\(before); until test \"$(cat /etc/volumes/all/token)\" != $old; do sleep 0.1; done; cat /etc/volumes/all/token",
        within: .seconds(120))
      #expect(try await cluster.kubectl.script(in: pod, "cat /etc/volumes/all/token").trimmed == after)
    }
  }
}
