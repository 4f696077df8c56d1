import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@testable import DevrunLauncher

@Suite("Places for volumes")
struct VolumePlacesTests {
  private let fixture: LaunchFixture
  private let places: VolumePlaces

  init() throws {
    fixture = try LaunchFixture()
    for folder in ["home", "project"] { mkdir(fixture.path(folder), 0o755) }
    places = VolumePlaces(
      environment: [
        "HOME": RawString(fixture.path("home")), "PATH": RawString("/usr/bin:\(fixture.path("programs/bin"))"),
      ], workingDirectory: RawString(fixture.path("project")), executable: "/usr/bin/env")
  }

  @Test(
    arguments: [
      "/etc/ld.so.preload", "/etc/ld.so.preload/x", "/etc/ld-musl-x86_64.path", "/etc/ld.so.conf.d/app.conf",
      "/etc/profile.d/devrun-test.sh", "/etc/pam.d/devrun-test", "/etc/environment.d/devrun-test.conf",
      "/usr/lib/devrun-test/x.so", "/lib/devrun-test", "/usr/local/bin/devrun-test", "/usr/local/lib/devrun-test/x",
      "/etc/gitconfig", "/none/../etc/ld.so.preload", "/usr/share/perl5/Devrun/Test.pm",
    ] as [RawString])
  func `What the machine's programs load never comes from a volume that nobody asked for`(path: RawString) throws {
    let obstacle = try #require(places.obstacle(at: path))
    // A machine may have one of them.
    #expect(obstacle.why.contains("load") || obstacle.isOccupied, "\(obstacle)")
  }

  @Test func `A volume that nobody asked for covers no folder that the user may write to`() throws {
    try fixture.write("project/file", "")
    for path in [
      "home/.app/config", "home/.appcfg", "project/config", "new", "new/deep", "project/file/deep", "programs/bin/x",
      "programs", "project",
    ] {
      #expect(places.obstacle(at: RawString(fixture.path(path))) != nil, "\(path)")
    }
    let config = RawString(fixture.path("project/config"))
    #expect(
      places.obstacle(at: config)
        == PlaceObstacle("'\(config)' would have to be made on this machine", mayBeAskedFor: true))
    let home = RawString(fixture.path("home"))
    #expect(
      places.obstacle(at: RawString(fixture.path("home/.app")))
        == PlaceObstacle("it is in HOME, '\(home)'", mayBeAskedFor: true))
  }

  @Test func `Something at the path is an obstacle also behind a way through what is missing`() {
    for path in ["project", "none/../project", "none/../project/."] {
      #expect(places.obstacle(at: RawString(fixture.path(path)))?.isOccupied == true, "\(path)")
    }
  }

  @Test(.enabled(if: geteuid() == 0 && access("/run", W_OK) == 0, "root is needed, to write to /run"))
  func `An empty folder below that of Kubernetes is used, since another session or the administrator made it`() throws {
    let isThere = access("/run/secrets", F_OK) == 0
    let folder = "/run/secrets/devrun-test-\(getpid())"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer {
      try? FileManager.default.removeItem(atPath: folder)
      if !isThere { rmdir("/run/secrets") }
    }
    #expect(places.obstacle(at: RawString(folder)) == nil)
    try Data().write(to: URL(fileURLWithPath: "\(folder)/file"))
    #expect(places.obstacle(at: RawString(folder))?.isOccupied == true)
    #expect(places.obstacle(at: RawString("\(folder)/file"))?.isOccupied == true)
  }

  @Test(
    arguments: [
      "/run/secrets/devrun-test.example.com/account", "/var/run/secrets/devrun-test.example.com/account",
      "/devrun-test-volume/config", "/etc/devrun-test/config", "/srv/devrun-test",
    ] as [RawString])
  func `A volume may appear where only root may write, whoever the user is`(path: RawString) {
    #expect(places.obstacle(at: path) == nil)
  }

  @Test(
    .enabled(if: geteuid() == 0 && access("/srv", W_OK) == 0, "root is needed, to write to /srv"),
    arguments: [(0o755, 0, true), (0o777, 0, false), (0o775, 0, false), (0o755, 65534, false)]
      as [(mode_t, uid_t, Bool)])
  func `A volume that nobody asked for is not shown in a folder to which anybody but root may write`(
    mode: mode_t, owner: uid_t, mayAppear: Bool
  ) throws {
    // Not among the folders of temporary files, where nothing appears unasked.
    let folder = "/srv/devrun-test-\(getpid())-\(String(mode, radix: 8))-\(owner)"
    try system { mkdir(folder, 0o700) }
    defer { rmdir(folder) }
    try system { chmod(folder, mode) }
    try system { chown(folder, owner, 0) }
    #expect((places.obstacle(at: RawString("\(folder)/config")) == nil) == mayAppear)
    #expect((places.obstacle(at: RawString("\(folder)/deep/config")) == nil) == mayAppear)
  }

  @Test func `An empty mount point of another session is shared, and nothing else that is there`() throws {
    for folder in ["place", "kept", "record"] { mkdir(fixture.path(folder), 0o755) }
    let (place, file) = (RawString(fixture.path("place/new")), RawString(fixture.path("place/new.conf")))
    let points = try MountPoints(
      making: [.init(path: place, isDirectory: true), .init(path: file, isDirectory: false)], sharing: [],
      record: RawString(fixture.path("record/mount-points")))
    for path in [place, file] { #expect(places.obstacle(at: path) == nil) }
    #expect(places.obstacle(at: RawString(fixture.path("kept")))?.isOccupied == true)
    try fixture.write("place/new/file", "")
    try fixture.write("place/new.conf", "text")
    for path in [place, file] { #expect(places.obstacle(at: path)?.isOccupied == true) }
    #expect(points.remove().isEmpty)
  }

  @Test func `Nothing is made unasked that has a meaning by being there`() {
    for path in ["/etc/nologin", "/var/run/nologin", "/.autorelabel", "/etc/hosts.deny"] as [RawString] {
      #expect(places.obstacle(at: path) != nil, "\(path)")
    }
  }

  @Test func `A path that cannot be looked at is an obstacle, whatever the reason`() throws {
    try FileManager.default.createSymbolicLink(atPath: fixture.path("loop"), withDestinationPath: "loop")
    #expect(places.obstacle(at: RawString(fixture.path("loop/config")))?.why.contains("cannot be looked at") == true)
    let long = String(repeating: "n", count: 256)
    #expect(places.obstacle(at: RawString(fixture.path("\(long)/config")))?.why.contains("cannot be looked at") == true)
    #expect(places.obstacle(at: "relative")?.why.contains("no absolute path") == true)
    #expect(places.obstacle(at: "/proc/devrun-test") != nil)
    #expect(places.obstacle(at: "/devrun-test\0/etc") != nil)
    let named = #expect(throws: MountError.self) { try places.check(named: RawString(fixture.path("loop/config"))) }
    #expect(named?.message.remedy?.contains("map it to another path") == true)
    if geteuid() != 0 {
      #expect(places.obstacle(at: "/root/.appcfg")?.why.contains("cannot be looked at") == true)
    }
  }

  @Test func `A path that a file gives a volume is checked before anything starts`() throws {
    try fixture.write("project/file", "")
    try places.check(named: RawString(fixture.path("project/config/deep")))
    try places.check(named: RawString(fixture.path("project/file")))
    let below = RawString(fixture.path("project/file/deep"))
    #expect(throws: MountError.occupied(below, by: RawString(fixture.path("project/file")))) {
      try places.check(named: below)
    }
    #expect(throws: MountError.self) { try places.check(named: "/etc/ld.so.preload") }
    #expect(throws: MountError.self) { try places.check(named: RawString(fixture.path("project"))) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path("project")) == ["file"])
  }

  @Test func `All volumes of a plan are checked with what they are before anything starts`() throws {
    try fixture.write("project/file", "")
    var plan = try LaunchFixture.plan(["true"])
    mkdir(fixture.path("session"), 0o700)
    plan.mountPointRecord = RawString(fixture.path("session/mount-points"))
    plan.mounts = [
      .init(source: RawString(fixture.path("home")), target: RawString(fixture.path("project/file")))
    ]
    #expect(throws: MountError.self) { try places.check(plan) }
    plan.mounts[0].target = RawString(fixture.path("project/config"))
    try places.check(plan)
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path("project")) == ["file"])
    plan.isolation = .trap
    #expect(throws: LaunchError.self) { try places.check(plan) }
    plan.mounts = []
    try places.check(plan)
  }
}
