import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import Synchronization
import Testing
import devrun_launch

@testable import DevrunLauncher

/// `devrun-exec` as an administrator installs it: with CAP_SYS_ADMIN and CAP_SYS_CHROOT as file capabilities.
enum PrivilegedHelper {
  /// Its path; made once, and gone with the tests. To be asked for by root.
  static let path: String = {
    var template = Array("/tmp/devrun-test-XXXXXX".utf8CString)
    guard let folder = mkdtemp(&template).map({ String(cString: $0) }) else { fatalError("mkdtemp: \(errno)") }
    chmod(folder, 0o755)
    let path = "\(folder)/devrun-exec"
    made.withLock { $0 = folder }
    atexit { PrivilegedHelper.made.withLock { try? FileManager.default.removeItem(atPath: $0) } }
    // By another process: see `LaunchFixture.writeProgram`.
    let copy = Process()
    copy.executableURL = URL(filePath: "/bin/cp")
    copy.arguments = [LaunchFixture.built("devrun-exec"), path]
    do { try copy.run() } catch { fatalError("cp: \(error)") }
    copy.waitUntilExit()
    give(path, capabilities: 1 << 21 | 1 << 18)
    return path
  }()

  private static let made = Mutex("")

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
    if example.isolation == .mount, example.user == .ordinary { helper = RawString(PrivilegedHelper.path) }
  }
}
