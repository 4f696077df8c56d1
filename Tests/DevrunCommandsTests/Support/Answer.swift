import ArgumentParser
import Testing

@testable import DevrunCommands

/// What devrun prints for a command line by which nothing is run, and its exit status.
struct Answer: Equatable {
  var text: String
  var status: Int32

  init(text: String, status: Int32) {
    self.text = text
    self.status = status
  }

  /// The answer to a command line that is wrong or asks for help.
  init(to arguments: [String]) {
    do {
      var command = try Devrun.parse(arguments)
      // Only ArgumentParser's own command answers by itself: the one for help.
      if Self.isRunnable(command) {
        Issue.record("\(arguments) is a correct command line")
      } else {
        try command.run()
      }
      self.init(text: "", status: -1)
    } catch {
      let answer = Devrun.answer(to: error)
      self.init(text: answer.text, status: answer.status)
    }
  }

  private static func isRunnable(_ command: any ParsableCommand) -> Bool {
    command is RunCommand || RootCommand.configuration.subcommands.contains { $0 == type(of: command) }
  }
}
