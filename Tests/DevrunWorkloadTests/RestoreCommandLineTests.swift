import Testing

@testable import DevrunWorkload

@Suite("Words that restore a workload")
struct RestoreCommandLineTests {
  @Test(
    arguments: [
      (nil, nil, nil, "devrun restore -n team --all"),
      (nil, nil, "deployment/web", "devrun restore -n team deployment/web"),
      ("staging", nil, "deployment/web", "devrun restore -n team --context staging deployment/web"),
      (
        "arn:aws:eks:eu-1:12:cluster/a", "/home/me/my config", "deployment/web",
        "devrun restore -n team --context arn:aws:eks:eu-1:12:cluster/a --kubeconfig '/home/me/my config' deployment/web"
      ),
      ("it's", nil, nil, #"devrun restore -n team --context 'it'\''s' --all"#),
    ] as [(String?, String?, String?, String)])
  func `The command line means the same workload in any shell`(
    context: String?, kubeconfig: String?, workload: String?, expected: String
  ) {
    let line = RestoreCommandLine(namespace: "team", context: context, kubeconfig: kubeconfig)
    #expect(line.text(of: workload) == expected)
  }
}
