import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunLauncher

@Suite("Protected paths")
struct ProtectedPathsTests {
  private let paths = ProtectedPaths(
    places: [
      ("the working directory", "/projects/shop/api"), ("HOME", "/data/people/ann"), ("TMPDIR", "/scratch/ann"),
      ("the command", "/builds/debug/api"),
    ], sources: ["/dev/shm/devrun-1/hosts"])

  @Test(
    arguments: [
      "/", "/bin", "/boot", "/dev", "/dev/pts", "/etc", "/etc/environment", "/etc/group", "/etc/hosts",
      "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload", "/etc/nsswitch.conf",
      "/etc/pam.d", "/etc/profile.d", "/etc/passwd",
      "/etc/resolv.conf", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/run/user", "/sbin", "/srv",
      "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/lib",
      "/var/run", "/var/tmp",
    ] as [RawString])
  func `A volume is refused at paths that the machine's programs need`(target: RawString) {
    guard case .machine = paths.reason(against: target) else {
      Issue.record("not refused: \(String(describing: paths.reason(against: target)))")
      return
    }
  }

  @Test(
    arguments: [
      ("/projects", "the working directory"), ("/projects/shop", "the working directory"),
      ("/projects/shop/api", "the working directory"), ("/data", "HOME"), ("/data/people", "HOME"),
      ("/data/people/ann", "HOME"), ("/scratch/ann", "TMPDIR"), ("/builds/debug", "the command"),
      ("/builds/debug/api", "the command"),
    ] as [(RawString, String)])
  func `A volume is refused at or above the user's own places`(target: RawString, name: String) {
    guard case .place(name, _) = paths.reason(against: target) else {
      Issue.record("not refused: \(String(describing: paths.reason(against: target)))")
      return
    }
  }

  @Test(
    arguments: [
      "/etc/whitelist", "/usr/share/x", "/var/run/secrets/kubernetes.io/serviceaccount", "/var/lib/app", "/tmp/x",
      "/data/people/ann/sub", "/data/people/anna", "/projects/shop/api/config", "/projects/shop/web", "/builds/release",
      "/app", "/secrets", "/mnt/secrets-store", "/dev/shm2", "/run/user/1000/x", "/homes",
    ] as [RawString])
  func `A volume is allowed below and beside protected paths`(target: RawString) {
    #expect(paths.reason(against: target) == nil)
  }

  @Test func `A forced volume is refused only over the kernel's files and devrun's own`() {
    #expect(paths.reason(against: "/usr", force: true) == nil)
    #expect(paths.reason(against: "/projects", force: true) == nil)
    for force in [true, false] {
      #expect(paths.reason(against: "/proc/1/x", force: force) == .kernel("/proc"))
      #expect(paths.reason(against: "/sys/fs", force: force) == .kernel("/sys"))
      #expect(paths.reason(against: "/dev/shm", force: force) == .source("/dev/shm/devrun-1/hosts"))
    }
    #expect(paths.reason(against: "/dev", force: true) == .source("/dev/shm/devrun-1/hosts"))
  }

  @Test func `A volume's path is checked both as it is written and where its links lead`() throws {
    let fixture = try LaunchFixture()
    for folder in ["real", "real/projects"] { mkdir(fixture.path(folder), 0o755) }
    try FileManager.default.createSymbolicLink(atPath: fixture.path("link"), withDestinationPath: "real")
    try FileManager.default.createSymbolicLink(atPath: fixture.path("home"), withDestinationPath: "real/projects")
    let paths = ProtectedPaths(
      environment: ["PATH": "/bin", "HOME": RawString(fixture.path("home")), "TMPDIR": "relative"],
      workingDirectory: nil,
      executable: nil)
    let home = RawString(fixture.path("real/projects"))
    for target in ["real", "link", "link/projects", "home", "real/../link/./projects"].map({
      RawString(fixture.path($0))
    }) {
      #expect(throws: MountError.hides(target, .place("HOME", home))) { try paths.check(target) }
      try paths.check(target, force: true)
    }
    try paths.check(RawString(fixture.path("home/sub")))
    #expect(throws: MountError.self) { try paths.check("/var/run/") }
    #expect(throws: MountError.notAbsolute("relative")) { try paths.check("relative") }
  }

  @Test func `A place that this machine does not have is not hidden by a volume`() throws {
    let fixture = try LaunchFixture()
    let paths = ProtectedPaths(
      environment: ["TMPDIR": RawString(fixture.path("none/tmp")), "HOME": RawString(fixture.path(""))],
      workingDirectory: nil, executable: nil)
    try paths.check(RawString(fixture.path("none")))
    #expect(throws: MountError.self) { try paths.check(RawString(fixture.path(""))) }
  }

  @Test func `A refused volume is reported with the reason and the possible remedies`() {
    let refused = MountError.hides("/projects", .place("the working directory", "/projects/shop")).description
    for part in ["'/projects'", "the working directory, '/projects/shop'", "${volumes.NAME|", "--force-volumes"] {
      #expect(refused.contains(part))
    }
    #expect(!MountError.hides("/proc/1", .kernel("/proc")).description.contains("--force-volumes"))
  }
}
