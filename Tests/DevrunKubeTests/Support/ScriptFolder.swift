import DevrunConfig
import DevrunSystem
import Foundation

/// The versions of the plugins' API.
let v1 = "client.authentication.k8s.io/v1"
let v1beta1 = "client.authentication.k8s.io/v1beta1"

/// What a plugin prints: an `ExecCredential` with the given status.
func credentialText(_ status: String, apiVersion: String = v1) -> String {
  #"{"apiVersion":"\#(apiVersion)","kind":"ExecCredential","status":\#(status)}"#
}

/// A folder that is removed at the end, for plugins that are shell scripts.
struct ScriptFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "devrun-kube-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  /// Removes the folder and what is in it.
  func remove() { try? FileManager.default.removeItem(at: url) }

  /// Writes a shell script and makes a plugin of it. The program is the shell: a file that was written a moment ago may
  /// be held open by what another thread has just forked, and cannot be executed then.
  func plugin(
    _ script: String, apiVersion: String = v1, arguments: [String] = [],
    environment: [ExecCredentialPlugin.Variable] = [], cluster: ExecCredentialPlugin.Cluster? = nil
  ) throws -> ExecCredentialPlugin {
    let file = url.appending(path: "login")
    try Data("\(script)\n".utf8).write(to: file)
    return ExecCredentialPlugin(
      apiVersion: apiVersion, command: "sh", arguments: [file.path] + arguments, environment: environment,
      cluster: cluster)
  }

  func read(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: url.appending(path: name)), as: UTF8.self)
  }

  /// Makes a FIFO.
  ///
  /// - Returns: its path.
  func makeFIFO(_ name: String) throws -> String {
    let path = url.appending(path: name).path
    try system { mkfifo(path, 0o600) }
    return path
  }

  /// Waits until a writer has opened and closed a FIFO, on a thread of its own.
  ///
  /// - Returns: what was written.
  func readFIFO(_ path: String) async -> String {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let bytes = FileHandle(forReadingAtPath: path)?.readDataToEndOfFile() ?? Data()
        continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
      }
    }
  }
}
