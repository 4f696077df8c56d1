import Foundation
import Glibc

/// Who devrun is run by: an ordinary user, with a home, a temporary folder and a working folder of its own.
///
/// Where the suite runs as root, that is a system user made for it, which may not send to the cluster's pods and services:
/// what it gets from there has come through the tunnel.
struct OrdinaryUser: Sendable {
  /// The user's name: one of its own for each lane, so that what it left is told apart.
  let name: String
  /// The folder that holds all others; anyone may read it.
  let folder: String
  let id: uid_t
  /// Where the suite runs as root; else the suite's own user is the ordinary one.
  let isOther: Bool

  var home: String { "\(folder)/home" }
  var temporary: String { "\(folder)/tmp" }
  var work: String { "\(folder)/work" }

  init(_ settings: Settings, name: String, _ cleanUp: CleanUp) async throws {
    self.name = name
    isOther = geteuid() == 0
    if isOther {
      if getpwnam(name) == nil {
        try await run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", name])
        cleanUp.add { try await run(["userdel", name]) }
      }
      guard let entry = getpwnam(name) else { throw Failure("there is no user \(name)") }
      id = entry.pointee.pw_uid
    } else {
      id = geteuid()
    }
    folder = try await run(["mktemp", "-d", "/tmp/devrun-e2e-XXXXXX"]).text.trimmingCharacters(in: .newlines)
    cleanUp.add { [folder] in try FileManager.default.removeItem(atPath: folder) }
    chmod(folder, 0o755)
    for path in [home, temporary, work] { try own(path) }
    if isOther { try await keepFromCluster(settings.clusterCIDR, cleanUp) }
  }

  /// Makes a folder of this user.
  func own(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    if isOther { chown(path, id, gid_t.max) }
    chmod(path, 0o700)
  }

  /// Writes a file that this user can read and no other.
  func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(filePath: path))
    if isOther { chown(path, id, gid_t.max) }
    chmod(path, 0o600)
  }

  /// The command line that runs another one as this user, with no capability.
  func command(_ arguments: [String]) -> [String] {
    guard isOther else { return arguments }
    return ["setpriv", "--reuid=\(name)", "--regid=\(name)", "--clear-groups", "--inh-caps=-all", "--"]
      + arguments
  }

  /// The environment of this user's shell.
  var environment: [String: String] {
    [
      "HOME": home, "USER": isOther ? name : NSUserName(), "LOGNAME": isOther ? name : NSUserName(),
      "PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/sh", "TERM": "xterm", "LANG": "C.UTF-8",
      "TMPDIR": temporary,
    ]
  }

  private func keepFromCluster(_ cidr: String, _ cleanUp: CleanUp) async throws {
    let rule = [
      "OUTPUT", "-m", "owner", "--uid-owner", name, "-d", cidr, "-m", "comment", "--comment", name,
      "-j", "REJECT",
    ]
    try await run(["iptables", "-w", "-I"] + rule)
    cleanUp.add { try await run(["iptables", "-w", "-D"] + rule) }
  }
}
