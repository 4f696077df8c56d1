import DevrunCore
import Testing

@testable import DevrunCommands

@Suite("Wrong command lines")
struct UsageErrorTests {
  private static let usage = """
    Usage: devrun [options] -- <command> [argument ...]
           devrun <subcommand>
      See 'devrun --help' for more information.
    """

  @Test(
    arguments: [
      ([], "there is no command: devrun [options] -- <command>"),
      (["--"], "there is no command: devrun [options] -- <command>"),
      (["-v"], "there is no command: devrun [options] -- <command>"),
      (["-t", "pod/x", "--"], "there is no command: devrun [options] -- <command>"),
      (["--tagret", "pod/x", "--", "cmd"], "Unknown option '--tagret'. Did you mean '--target'?"),
      (["--tagret=pod/x", "cmd"], "Unknown option '--tagret'. Did you mean '--target'?"),
      (["--tagret", "cmd", "--help"], "Unknown option '--tagret'. Did you mean '--target'?"),
      (["-v", "--namspace", "shop", "cmd"], "Unknown option '--namspace'. Did you mean '--namespace'?"),
      (["--targ", "pod/x", "cmd"], "Unknown option '--targ'. Did you mean '--target'?"),
      (["--frobnicate-all-of-it", "cmd"], "Unknown option '--frobnicate-all-of-it'"),
      (["-x", "cmd"], "Unknown option '-x'"),
      (["-vx", "cmd"], "Unknown option '-x'"),
      (["-xv", "cmd"], "Unknown option '-x'"),
      (["-", "cmd"], "Unexpected argument '-'"),
      (["---target", "cmd"], "Invalid option: ---target"),
      (["-v", "---target", "cmd"], "Invalid option: ---target"),
      (["--wait=3", "cmd"], "The option '--wait' does not take any value, but '3' was specified."),
      (["-t", "pod/x", "--new-pod", "cmd"], "--target and --new-pod exclude each other"),
      (["-v", "-q", "cmd"], "--verbose and --quiet exclude each other"),
      (["--generate-completion-script", "csh"], "Can't generate completion scripts for 'csh'."),
    ] as [([String], String)])
  func `A wrong command line of a run is an error with the usage of devrun`(arguments: [String], what: String) {
    let answer = Answer(to: arguments)
    #expect(answer.status == 125)
    #expect(answer.text.hasPrefix("devrun: \(what)\n"), "\(answer)")
    #expect(answer.text.hasSuffix("\n\(Self.usage)"), "\(answer)")
  }

  @Test(
    arguments: [
      (["-t"], "Missing value for '-t <kind/name>'"),
      (["-t", "--", "cmd"], "Missing value for '-t <kind/name>'"),
      (["-e", "=value", "cmd"], "The value '=value' is invalid for '-e <name=value>': write NAME=VALUE"),
      (["--env=NAME", "cmd"], "The value 'NAME' is invalid for '--env <name=value>': write NAME=VALUE"),
      (
        ["--volume-limit", "lots", "cmd"],
        "The value 'lots' is invalid for '--volume-limit <bytes>': write a number such as 500Mi or 2Gi"
      ),
      (
        ["--isolation", "none", "cmd"],
        "The value 'none' is invalid for '--isolation <how>': choose one of automatic, mount, user, trap"
      ),
    ] as [([String], String)])
  func `A wrong value of an option is an error with the help of the option`(arguments: [String], what: String) {
    let answer = Answer(to: arguments)
    #expect(answer.status == 125)
    #expect(answer.text.hasPrefix("devrun: \(what)\nHelp:  -"), "\(answer)")
    #expect(answer.text.hasSuffix("\n\(Self.usage)"), "\(answer)")
  }

  @Test(
    arguments: [
      (["env", "--tagret", "x"], "Unknown option '--tagret'. Did you mean '--target'?", "env"),
      (["env", "--new-pod"], "Unknown option '--new-pod'", "env"),
      (["env", "FOO=1", "make"], "2 unexpected arguments: 'FOO=1', 'make'", "env"),
      (
        ["env", "--format", "xml"],
        "The value 'xml' is invalid for '--format <format>': choose one of dotenv, json, shell", "env"
      ),
      (["restore", "--all", "deployment/x"], "--all and names exclude each other", "restore"),
      (["restore", "--force-volumes"], "Unknown option '--force-volumes'", "restore"),
      (["diagnose", "now"], "Unexpected argument 'now'", "diagnose"),
      (["diagnose", "-t", "pod/x"], "Unknown option '-t'", "diagnose"),
    ] as [([String], String, String)])
  func `A wrong command line of a subcommand is an error with the usage of the subcommand`(
    arguments: [String], what: String, subcommand: String
  ) {
    let answer = Answer(to: arguments)
    #expect(answer.status == 125)
    #expect(answer.text.hasPrefix("devrun: \(what)\n"), "\(answer)")
    #expect(answer.text.contains("\nUsage: devrun \(subcommand) "), "\(answer)")
    #expect(answer.text.hasSuffix("\n  See 'devrun \(subcommand) --help' for more information."), "\(answer)")
  }

  @Test(arguments: [UsageError.noTarget, .agentImage])
  func `A mistake that is only seen with devrun.yaml has the status of a wrong command line`(error: UsageError) {
    #expect(error.exitStatus == .usage)
  }
}
