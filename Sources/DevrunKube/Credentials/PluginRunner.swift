import DevrunConfig
import DevrunCore
internal import DevrunSystem
import Glibc

/// Runs a credential plugin as kubectl does: with the user's own environment, the user's terminal for what it says, and
/// its output caught.
struct PluginRunner: Sendable {
  /// The plugin to run.
  let plugin: ExecCredentialPlugin
  /// The user's environment.
  let environment: EnvironmentVariables
  /// Whether the plugin could ask the user: standard input is a terminal that this process may read from.
  let askingGroup: @Sendable () -> pid_t?

  /// Runs the plugin and reads what it prints. Cancelling ends the plugin.
  func run() async throws -> ExecCredential {
    let command = plugin.command
    let versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]
    guard versions.contains(plugin.apiVersion) else {
      throw CredentialError.pluginVersion(command: command, apiVersion: plugin.apiVersion)
    }
    let group = plugin.interactiveMode == .never ? nil : askingGroup()
    let isInteractive = group != nil
    guard isInteractive || plugin.interactiveMode != .always else {
      throw CredentialError.pluginNeedsTerminal(command: command)
    }
    var environment = environment
    for variable in plugin.environment {
      environment.set(RawString(variable.name), to: RawString(variable.value), from: .file)
    }
    environment.set(
      "KUBERNETES_EXEC_INFO", to: RawString(plugin.info(isInteractive: isInteractive)), from: .option)
    guard let path = executable(in: environment["PATH"]) else {
      throw CredentialError.pluginNotFound(command: command, installHint: plugin.installHint)
    }
    let process: PluginProcess
    do {
      process = try PluginProcess(
        path: path, arguments: [command] + plugin.arguments, environment: environment, askingIn: group)
    } catch {
      throw CredentialError.pluginNotStarted(command: command, problem: error.words)
    }
    let (output, ending) = await process.result()
    try Task.checkCancellation()
    switch ending {
    case .exited(0), .unknown: break
    case .exited(let status):
      throw CredentialError.pluginFailed(command: command, ending: "it ended with status \(status)")
    case .killed(let signal):
      throw CredentialError.pluginFailed(command: command, ending: "it was ended by signal \(signal)")
    }
    return try ExecCredential(output: output, command: command, apiVersion: plugin.apiVersion)
  }

  /// The file to execute: the command itself if it has a slash, else the first of that name in PATH.
  private func executable(in path: RawString?) -> String? {
    func isExecutable(_ file: String) -> Bool {
      var status = stat()
      return stat(file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(file, X_OK) == 0
    }
    if plugin.command.contains("/") { return isExecutable(plugin.command) ? plugin.command : nil }
    let folders = path?.description.split(separator: ":", omittingEmptySubsequences: true) ?? []
    return folders.lazy.map { "\($0)/\(plugin.command)" }.first(where: isExecutable)
  }
}

/// This process's group, if standard input is a terminal that it may read: in the background it would be stopped instead.
func standardInputGroup() -> pid_t? {
  let group = getpgrp()
  return isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == group ? group : nil
}
