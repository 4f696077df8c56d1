import DevrunConfig
import TestSupport

/// The versions of the plugins' API.
let v1 = "client.authentication.k8s.io/v1"
let v1beta1 = "client.authentication.k8s.io/v1beta1"

/// What a plugin prints: an `ExecCredential` with the given status.
func credentialText(_ status: String, apiVersion: String = v1) -> String {
  #"{"apiVersion":"\#(apiVersion)","kind":"ExecCredential","status":\#(status)}"#
}

extension TemporaryFolder {
  /// Writes a shell script and makes a plugin of it. The program is the shell: a file that was written a moment ago may
  /// be held open by what another thread has just forked, and cannot be executed then.
  func plugin(
    _ script: String, apiVersion: String = v1, arguments: [String] = [],
    environment: [ExecCredentialPlugin.Variable] = [], cluster: ExecCredentialPlugin.Cluster? = nil
  ) throws -> ExecCredentialPlugin {
    let file = try write("login", "\(script)\n")
    return ExecCredentialPlugin(
      apiVersion: apiVersion, command: "sh", arguments: [file] + arguments, environment: environment,
      cluster: cluster)
  }
}
