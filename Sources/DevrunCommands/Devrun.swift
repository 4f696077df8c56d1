internal import ArgumentParser
internal import DevrunCore
internal import Glibc

/// The command line: `devrun [options] -- <command>` runs a command; the first word may name another thing to do.
public enum Devrun {
  /// Reads the command line and does what it says. Never returns.
  public static func main() -> Never {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch arguments.first {
    case "diagnose": perform(DiagnoseCommand.self, Array(arguments.dropFirst()))
    case "env": perform(EnvCommand.self, Array(arguments.dropFirst()))
    case PrintEnvironment.name:
      exit(PrintEnvironment.run(ProcessArguments.last(arguments.count - 1)))
    case "restore": perform(RestoreCommand.self, Array(arguments.dropFirst()))
    default: perform(RunCommand.self, arguments)
    }
  }

  private static func perform<Command: ParsableCommand>(_ type: Command.Type, _ arguments: [String]) -> Never {
    do {
      var command = try type.parse(arguments)
      try command.run()
      exit(0)
    } catch let error as any UserFacingError {
      Terminal().show(error)
      exit(error.exitStatus.rawValue)
    } catch {
      let text = type.fullMessage(for: error)
      guard type.exitCode(for: error) != .success else {
        print(text)
        exit(0)
      }
      let line = text.hasPrefix("Error: ") ? "devrun: " + text.dropFirst(7) : text
      Terminal().write(line.hasSuffix("\n") ? line : line + "\n")
      exit(ExitStatus.usage.rawValue)
    }
  }
}
