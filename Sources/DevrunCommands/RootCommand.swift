internal import ArgumentParser
internal import DevrunSession

/// devrun as its help and its shell completions show it: the options of a run, and the subcommands.
///
/// One type cannot both show and parse the whole command line. If a command captures everything that follows its
/// options, it captures the names of its subcommands as well. If a default subcommand does that in its place, the
/// options are missing in help and completions. So `RunCommand` parses the command lines that run a command, and
/// `Subcommands` parses the others.
struct RootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devrun",
    abstract: "Run a command here as if it ran in a container of a Kubernetes cluster.",
    usage: """
      devrun [options] -- <command> [argument ...]
      devrun <subcommand>
      """,
    discussion: """
      The command sees the container's environment and volumes, and the cluster's services under their own names and \
      ports. Once the command listens on a redirected port, connections to the target in the cluster arrive there; \
      until then the app in the cluster serves. When the command exits, devrun puts the cluster back as it was.

      Options that you use every time can be stored in devrun.yaml. A subcommand must be the first word: \
      'devrun -- env' runs the program env.
      """,
    version: devrunVersion,
    subcommands: [EnvCommand.self, RestoreCommand.self, DiagnoseCommand.self])

  /// What the text of an error begins with.
  static var _errorPrefix: String { "devrun: " }

  @OptionGroup var options: RunOptions
}

/// Parses a command line that begins with a subcommand.
struct Subcommands: ParsableCommand {
  static let configuration = RootCommand.configuration
}
