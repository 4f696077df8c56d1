internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunSession
internal import DevrunSystem
internal import Glibc

/// `devrun print-environment <format> -- [name ...]`
///
/// `devrun env` starts it as the command of its session. It prints the environment that the kernel has given it.
struct PrintEnvironmentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "print-environment", abstract: "Print the variables of this process.", shouldDisplay: false)

  @Argument(help: "The format of the output.", transform: EnvironmentFormat.named)
  var format: EnvironmentFormat

  @Argument(parsing: .postTerminator, help: ArgumentHelp("The variables to mask.", valueName: "name"))
  var masked: [String] = []

  /// This program with this subcommand. Names that follow its arguments are masked.
  static func program(format: EnvironmentFormat) -> ProgramInvocation {
    ProgramInvocation(
      executable: "/proc/self/exe",
      arguments: ["devrun", "print-environment", RawString(format.rawValue), "--"])
  }

  func run() {
    let masked = Set(ProcessArguments.last(masked.count))
    let text = format.text(of: EnvironmentVariables.current.sorted(), masking: masked)
    do throws(Errno) {
      try Descriptor.writeAll(text.bytes, to: STDOUT_FILENO)
    } catch {
      // Whoever reads has had enough, or the disk is full.
      Glibc.exit(ExitStatus.devrunFailed.rawValue)
    }
    if !text.omitted.isEmpty {
      let names = text.omitted.map(\.description).joined(separator: ", ")
      Terminal().say("left out, since \(format.rawValue) cannot write the names: \(names)")
    }
  }
}
