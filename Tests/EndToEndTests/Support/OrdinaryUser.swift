import DevrunCore
import DevrunSystem
import Foundation
import Glibc
import TestSupport

/// Who devrun is run by: an ordinary user, with a home, a temporary folder and a working folder of its own.
///
/// Where the suite runs as root, that is a system user made for it, which may not send to the cluster's pods and
/// services: what it gets from there has come through the tunnel.
struct OrdinaryUser: Sendable {
  /// The user's name: one of its own for each lane, so that what it left is told apart.
  let name: String
  /// The user as the kernel has it: where the suite does not run as root, who runs it.
  private let user: TestUser
  private let place: TemporaryFolder

  /// The user's number.
  var id: uid_t { user.id }
  /// Whether it is another than the one who runs the suite.
  var isOther: Bool { user.isOther }
  /// The folder that holds all others; anyone may read it.
  var folder: String { place.path }
  var home: String { "\(folder)/home" }
  var temporary: String { "\(folder)/tmp" }
  var work: String { "\(folder)/work" }

  init(_ settings: Settings, name: String, _ cleanUp: CleanUp) async throws {
    let isRoot = TestUser.own.id == 0
    if isRoot {
      try await run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", name])
      cleanUp.add { try await run(["userdel", name]) }
    }
    self.name = isRoot ? name : NSUserName()
    user = isRoot ? try TestUser(named: name) : .own
    place = try TemporaryFolder(mode: 0o755)
    cleanUp.add { [place] in place.remove() }
    for path in [home, temporary, work] { try own(path) }
    if isOther { try await keepFromCluster(settings.clusterCIDR, cleanUp) }
  }

  /// Makes a folder of this user.
  func own(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try user.own(path, mode: 0o700)
  }

  /// Writes a file that this user can read and no other.
  func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(filePath: path))
    try user.own(path, mode: 0o600)
  }

  /// The command line that runs another one as this user.
  func command(_ arguments: [String]) -> [String] { user.command(arguments) }

  /// The environment of this user's shell.
  var environment: EnvironmentVariables {
    [
      "HOME": RawString(home), "USER": RawString(name), "LOGNAME": RawString(name),
      "PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/sh", "TERM": "xterm", "LANG": "C.UTF-8",
      "TMPDIR": RawString(temporary),
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
