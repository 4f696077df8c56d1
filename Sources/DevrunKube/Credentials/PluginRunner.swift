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
  /// Returns the process group in which the plugin can ask the user, `nil` while it cannot.
  let askingGroup: @Sendable () -> pid_t?

  /// Runs the plugin and reads what it prints. Cancelling ends the plugin.
  func run() async throws -> ExecCredential {
    let command = plugin.command
    guard ExecCredentialPlugin.supportedVersions.contains(plugin.apiVersion) else {
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
    let output = try await PluginProcess(
      command: command, path: executable(in: environment["PATH"]), arguments: plugin.arguments,
      environment: environment, group: group
    ).run()
    return try ExecCredential(output: output, command: command, apiVersion: plugin.apiVersion)
  }

  /// The file to execute: the command itself if it has a slash, else the first of that name in PATH. As in kubectl, an
  /// empty entry of PATH is not the working directory.
  private func executable(in path: RawString?) throws(CredentialError) -> RawString {
    let folders = (path?.bytes ?? []).split(separator: UInt8(ascii: ":")).map { RawString($0) }
    do {
      return try ExecutableSearch(folders: folders).find(RawString(plugin.command))
    } catch .notFound {
      throw .pluginNotFound(command: plugin.command, installHint: plugin.installHint)
    } catch {
      throw .pluginNotStarted(command: plugin.command, problem: error.message.why ?? error.message.what)
    }
  }
}

/// This process's group, if standard input is a terminal that it may read. In the background it would be stopped for
/// reading.
func standardInputGroup() -> pid_t? {
  let group = getpgrp()
  return isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == group ? group : nil
}
