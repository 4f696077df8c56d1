import DevrunSession
import Foundation
import Testing

@testable import DevrunCommands

@Suite("Help")
struct HelpTests {
  private static let runOptions = [
    "-t, --target", "--new-pod", "--image", "-c, --container", "-p, --port", "--env-file", "-e, --env",
    "--env-include", "--env-exclude", "--env-unset", "--volume-limit", "--force-volumes", "--wait", "--isolation",
    "-n, --namespace", "--context", "--kubeconfig", "--pod-port", "--via-pod", "-v, --verbose", "-q, --quiet",
    "--version", "-h, --help",
  ]

  @Test(
    arguments: [
      ["--help"], ["-h"], ["help"], ["help", "make"], ["--help", "--", "cmd"], ["-h", "cmd"],
      ["-t", "pod/x", "--help"], ["-v", "-h", "--", "cmd"],
    ])
  func `The help of devrun has the options of a run and the subcommands`(arguments: [String]) {
    let answer = Answer(to: arguments)
    #expect(answer.status == 0)
    let lines = answer.text.split(separator: "\n").map(String.init)
    #expect(answer.text.contains("\nUSAGE: devrun [options] -- <command> [argument ...]\n       devrun <subcommand>\n"))
    for option in Self.runOptions {
      #expect(lines.count { $0.hasPrefix("  \(option) ") || $0 == "  \(option)" } == 1, "\(option): \(answer)")
    }
    for subcommand in ["env", "restore", "diagnose"] {
      #expect(lines.count { $0.hasPrefix("  \(subcommand) ") } == 1, "\(subcommand): \(answer)")
    }
  }

  @Test(
    arguments: [
      ("env", ["-t, --target", "--format", "--show-secrets", "--env-include", "-n, --namespace"]),
      ("restore", ["<kind/name>", "--all", "-n, --namespace"]), ("diagnose", ["--json"]),
    ])
  func `The help of a subcommand has the options of the subcommand`(name: String, options: [String]) {
    for arguments in [[name, "--help"], [name, "-h"], ["help", name]] {
      let answer = Answer(to: arguments)
      #expect(answer.status == 0)
      #expect(answer.text.contains("\nUSAGE: devrun \(name) "), "\(answer)")
      for option in options { #expect(answer.text.contains("\n  \(option) "), "\(option): \(answer)") }
      #expect(!answer.text.contains("--new-pod"), "\(answer)")
    }
  }

  @Test(arguments: [["--version"], ["-t", "pod/x", "--version"], ["--version", "cmd"], ["env", "--version"]])
  func `The option --version prints the version alone`(arguments: [String]) {
    #expect(Answer(to: arguments) == Answer(text: devrunVersion, status: 0))
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func `A completion script has the options of a run and of each subcommand`(shell: String) {
    let answer = Answer(to: ["--generate-completion-script", shell])
    #expect(answer.status == 0)
    for word in ["force-volumes", "show-secrets", "all", "json", "diagnose", "automatic", "dotenv"] {
      #expect(answer.text.contains(word), "\(word)")
    }
    #expect(Answer(to: ["--generate-completion-script=\(shell)"]) == answer)
    #expect(Answer(to: ["env", "--generate-completion-script", shell]) == answer)
    #expect(Answer(to: ["-v", "--generate-completion-script", shell]) == answer)
  }

  @Test(
    arguments: [
      (["--fo"], ["--force-volumes"]), (["di"], ["diagnose"]), (["e"], ["env"]), (["p"], []),
      (["-t", "pod/x", "--wa"], ["--wait"]), (["--isolation", ""], ["automatic", "mount", "user", "trap"]),
      (["env", "--fo"], ["--format"]), (["env", "--format", ""], ["dotenv", "json", "shell"]),
      (["restore", "--a"], ["--all"]), (["diagnose", "--j"], ["--json"]),
    ])
  func `Bash completes the options of a run, the subcommands and their options`(
    words: [String], completions: [String]
  ) async throws {
    let script = """
      \(Answer(to: ["--generate-completion-script", "bash"]).text)
      COMP_WORDS=(devrun "$@"); COMP_CWORD=$#; COMP_LINE="devrun $*"; COMP_POINT=${#COMP_LINE}
      _devrun devrun "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      for word in "${COMPREPLY[@]}"; do echo "$word"; done
      """
    let outcome = try await Outcome(of: "/bin/bash", ["-c", script, "bash"] + words)
    #expect(outcome == Outcome(status: 0, output: completions.map { "\($0)\n" }.joined(), errors: ""))
  }
}
