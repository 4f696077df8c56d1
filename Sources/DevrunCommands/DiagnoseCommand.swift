internal import ArgumentParser
internal import DevrunCore
internal import DevrunSession
internal import DevrunSystem

/// `devrun diagnose [--json]`
struct DiagnoseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diagnose",
    abstract: "Print the state of your sessions on this machine.",
    discussion: """
      devrun asks each of your sessions on this machine for its target, pods, tunnels and their traffic, redirected \
      ports, services, hosts and DNS entries, volumes, environment and log. Values of variables are masked, except \
      those of services' variables. The cluster is not asked.
      """)

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let sessions = LiveSessions(environment: .current)
    let report = SessionReport(try runBlocking { try await sessions.ask() })
    print(json ? try report.json() : report.text(), terminator: "")
  }
}
