internal import ArgumentParser
internal import DevrunCore
internal import DevrunSession
internal import Glibc

/// The command line: `devrun [options] -- <command>` runs a command, unless its first word is a subcommand.
public enum Devrun {
  /// Does what this process's command line asks for. Never returns.
  public static func main() -> Never {
    do {
      var command = try parse(Array(CommandLine.arguments.dropFirst()))
      try command.run()
      exit(0)
    } catch let error as any UserFacingError {
      Terminal().say(RunReporter.maskingPatterns(error.message.description))
      exit(error.exitStatus.rawValue)
    } catch {
      let answer = answer(to: error)
      if answer.status == 0 {
        print(answer.text)
      } else {
        Terminal().write(RunReporter.maskingPatterns(answer.text) + "\n")
      }
      exit(answer.status)
    }
  }

  /// Parses a command line.
  ///
  /// A subcommand is one only as the first word: `devrun -- env` and `devrun -t pod/x env` run the program env.
  ///
  /// - Parameter arguments: the command line without its first word, the program's name.
  /// - Throws: an error for `answer(to:)`.
  static func parse(_ arguments: [String]) throws -> any ParsableCommand {
    guard let first = arguments.first else { return try RunCommand.parseAsRoot(arguments) }
    if first == "help" || isForParser(first) { return try RootCommand.parseAsRoot(arguments) }
    if RootCommand.configuration.subcommands.contains(where: { $0.configuration.commandName == first }) {
      return try Subcommands.parseAsRoot(arguments)
    }
    return try parseRun(arguments)
  }

  /// Parses the options of a run and its command.
  private static func parseRun(_ arguments: [String]) throws -> any ParsableCommand {
    // What ArgumentParser would take for itself is the command's if it follows the command's name.
    let parsed = try RunCommand.parseAsRoot(arguments.map { isForParser($0) ? "--other" : $0 })
    guard var run = parsed as? RunCommand else { return parsed }
    run.command = Array(arguments.suffix(run.command.count))
    // To ArgumentParser, an option that RunCommand does not have is the beginning of the command.
    if let first = run.command.first, first.hasPrefix("-"), first != "--" {
      return try RootCommand.parseAsRoot(isForParser(first) ? run.command : [first])
    }
    return run
  }

  /// Whether ArgumentParser acts on the argument, or refuses it, wherever it stands before `--`.
  private static func isForParser(_ argument: String) -> Bool {
    ["---", "-=", "--generate-completion-script"].contains { argument.hasPrefix($0) }
  }

  /// What is printed for an error of a command that is not a `UserFacingError`, and the exit status.
  ///
  /// A request for help or for the version is such an error, with the status 0; its text is for standard output.
  static func answer(to error: any Error) -> (text: String, status: Int32) {
    let isFailure = RootCommand.exitCode(for: error) != .success
    return (RootCommand.fullMessage(for: error), isFailure ? ExitStatus.usage.rawValue : 0)
  }
}
