import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// `devrun-exec` as an administrator installs it: with CAP_SYS_ADMIN and CAP_SYS_CHROOT as file capabilities.
enum PrivilegedHelper {
  /// Its path; made once, and gone with the tests. To be asked for by root.
  static let path: String = {
    let path = folder.path("devrun-exec")
    atexit { PrivilegedHelper.folder.remove() }
    // By another process: see `LaunchFixture.writeProgram`.
    let copy = Process()
    copy.executableURL = URL(filePath: "/bin/cp")
    copy.arguments = [LaunchFixture.built("devrun-exec"), path]
    do { try copy.run() } catch { fatalError("cp: \(error)") }
    copy.waitUntilExit()
    give(path, capabilities: 1 << 21 | 1 << 18)
    return path
  }()

  private static let folder: TemporaryFolder = {
    do { return try TemporaryFolder(mode: 0o755) } catch { fatalError("\(error)") }
  }()

  /// Writes file capabilities, permitted and effective, as <linux/capability.h> has them (`struct vfs_cap_data`).
  private static func give(_ path: String, capabilities: UInt32) {
    // Not in Swift's Glibc module.
    typealias SetXAttr =
      @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeRawPointer, Int, Int32) -> Int32
    guard let symbol = dlsym(nil, "setxattr") else { fatalError("there is no setxattr") }
    let setxattr = unsafeBitCast(symbol, to: SetXAttr.self)
    let data: [UInt32] = [0x0200_0001, capabilities, 0, 0, 0]
    let result = setxattr(path, "security.capability", data, data.count * 4, 0)
    if result != 0 { fatalError("setxattr: \(errno)") }
  }
}

extension LaunchScript {
  /// Chooses the way in of the example. An ordinary user's way to a mount namespace alone is `devrun-exec`.
  mutating func isolate(as example: IsolationCase) {
    isolation = example.isolation
    if example.isolation == .mount, example.user == .nobody { helper = RawString(PrivilegedHelper.path) }
  }
}
