import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunLauncher

@Suite("Mount planner")
struct MountPlannerTests {
  /// What is planned for a user who may write to no directory, or to all.
  private func planned(_ mounts: [(String, String)], mayWrite: Bool, force: Bool = false) throws -> MountPlanner {
    var plan = LaunchPlan(executable: "/bin/true", arguments: [], environment: [:], isolation: .user)
    plan.mounts = mounts.map { .init(source: RawString($0.0), target: RawString($0.1)) }
    plan.forcesVolumes = force
    return try MountPlanner.planned(for: plan) { _ in mayWrite }
  }

  private func steps(_ mounts: [(String, String)]) throws -> [MountStep] {
    let planner = try planned(mounts, mayWrite: false)
    #expect(planner.mountPoints.isEmpty)
    return planner.steps
  }

  private func path(_ text: String) -> ViewPath { ViewPath(ViewPath.split(RawString(text))) }

  /// A folder with a source, an empty target, and a parent with one entry of each kind.
  private func fixture() throws -> LaunchFixture {
    let fixture = try LaunchFixture()
    for folder in ["source", "target", "parent", "parent/folder"] { mkdir(fixture.path(folder), 0o755) }
    try fixture.write("parent/file", "")
    try FileManager.default.createSymbolicLink(atPath: fixture.path("parent/link"), withDestinationPath: "../target")
    return fixture
  }

  @Test func `A mount on an existing target is planned as one bind at the resolved path`() throws {
    let fixture = try fixture()
    let source = fixture.path("source")
    let expected = MountStep.bind(source: RawString(source), target: path(fixture.path("target")))
    #expect(try steps([(source, fixture.path("target"))]) == [expected])
    #expect(try steps([(source, fixture.path("parent/link/."))]) == [expected])
    #expect(try steps([(source, fixture.path("parent//folder/../../target/"))]) == [expected])
  }

  @Test func `A mount at a missing path covers the nearest directory and keeps its entries`() throws {
    let fixture = try fixture()
    let parent = path(fixture.path("parent"))
    #expect(
      try steps([(fixture.path("source"), fixture.path("parent/a/b"))]) == [
        .cover(parent, mode: 0o755), .keepFile("file"), .keepDirectory("folder"), .keepLink("link", to: "../target"),
        .follow(parent), .makeDirectory(parent.appending("a")), .makeDirectory(parent.appending("a").appending("b")),
        .bind(source: RawString(fixture.path("source")), target: parent.appending("a").appending("b")),
        .makeReadOnly(parent, mode: 0o755),
      ])
  }

  @Test func `Several mounts in one directory cover it once and replace the entries in their way`() throws {
    let fixture = try fixture()
    let parent = path(fixture.path("parent"))
    let source = RawString(fixture.path("source"))
    let file = RawString(try fixture.write("data", ""))
    #expect(
      try steps([
        (source.description, fixture.path("parent/new")), (source.description, fixture.path("parent/file")),
        (file.description, fixture.path("parent/folder")),
      ]) == [
        .cover(parent, mode: 0o755), .keepLink("link", to: "../target"), .follow(parent),
        .makeDirectory(parent.appending("new")), .bind(source: source, target: parent.appending("new")),
        .makeDirectory(parent.appending("file")), .bind(source: source, target: parent.appending("file")),
        .makeFile(parent.appending("folder")), .bind(source: file, target: parent.appending("folder")),
        .makeReadOnly(parent, mode: 0o755),
      ])
  }

  @Test func `A mount below the root enters the covered root before anything is created in it`() throws {
    let fixture = try fixture()
    let steps = try steps([(fixture.path("source"), "/devrun-test/x")])
    let mode = try #require(try mode(of: "/"))
    #expect(steps.first == .cover(ViewPath(), mode: mode))
    #expect(steps.contains(.keepDirectory("proc")))
    #expect(
      steps.suffix(6) == [
        .follow(ViewPath()), .enterRoot, .makeDirectory(path("/devrun-test")), .makeDirectory(path("/devrun-test/x")),
        .bind(source: RawString(fixture.path("source")), target: path("/devrun-test/x")),
        .makeReadOnly(ViewPath(), mode: mode),
      ])
  }

  @Test func `A mount at a missing path in a directory that the user may write to gets a mount point there`() throws {
    let fixture = try fixture()
    let parent = path(fixture.path("parent"))
    let source = RawString(fixture.path("source"))
    let file = RawString(try fixture.write("data", ""))
    let planner = try planned(
      [
        (source.description, fixture.path("parent/a/b")), (file.description, fixture.path("parent/a/c")),
        (source.description, fixture.path("parent/x/../d")),
      ], mayWrite: true)
    #expect(
      planner.mountPoints == [
        .init(path: parent.appending("d").text, isDirectory: true),
        .init(path: parent.appending("a").text, isDirectory: true),
        .init(path: parent.appending("a").appending("b").text, isDirectory: true),
        .init(path: parent.appending("a").appending("c").text, isDirectory: false),
      ])
    #expect(planner.mountPoints.first { $0.path == parent.appending("a").appending("c").text }?.isDirectory == false)
    #expect(
      Set(planner.steps) == [
        .bind(source: source, target: parent.appending("a").appending("b")),
        .bind(source: file, target: parent.appending("a").appending("c")),
        .bind(source: source, target: parent.appending("d")),
      ])
  }

  @Test func `A path through what is missing and back is what its names say, and links behind it are followed`() throws
  {
    let fixture = try fixture()
    let target = path(fixture.path("target"))
    for way in [
      "none/../target", "parent/none/deep/../../link", "parent/file/../../parent/none/../link/.", "none/x/../../target",
    ] {
      let (place, missing) = try MountPlanner().locate(RawString(fixture.path(way)))
      #expect(place == target && missing.isEmpty, "\(way)")
      #expect(try MountPlanner.resolve(RawString(fixture.path(way))) == target.text)
    }
    let (place, missing) = try MountPlanner().locate(RawString(fixture.path("none/a/../b/c")))
    #expect(place == target.parent && missing == ["none", "b", "c"])
    #expect(throws: MountError.inaccessible("/a\0b", .invalidArgument)) { try MountPlanner().locate("/a\0b") }
  }

  @Test(.enabled(if: getuid() == 0, "root is needed"))
  func `A mount point of another user's session counts as missing`() throws {
    let fixture = try fixture()
    let parent = path(fixture.path("parent"))
    for (name, mode) in [("parent/theirs", 0o1711), ("parent/other", 0o755)] as [(String, mode_t)] {
      mkdir(fixture.path(name), 0o700)
      chmod(fixture.path(name), mode)
      chown(fixture.path(name), 65534, 65534)
    }
    let planner = try planned([(fixture.path("source"), fixture.path("parent/theirs/deep"))], mayWrite: false)
    #expect(planner.steps.contains(.keepDirectory("other")) && !planner.steps.contains(.keepDirectory("theirs")))
    #expect(planner.steps.contains(.makeDirectory(parent.appending("theirs"))))
  }

  @Test func `A hidden path that is missing stays empty in a directory that is followed`() throws {
    let fixture = try fixture()
    let parent = path(fixture.path("parent"))
    var plan = LaunchPlan(executable: "/bin/true", arguments: [], environment: [:], isolation: .user)
    plan.mounts = [
      .init(source: RawString(fixture.path("source")), target: RawString(fixture.path("parent/new")))
    ]
    plan.hiddenPaths = [RawString(fixture.path("parent/nscd/socket")), RawString(fixture.path("target/none"))]
    let steps = try MountPlanner.planned(for: plan) { _ in false }.steps
    let nscd = parent.appending("nscd")
    #expect(steps.suffix(3).dropLast() == [.makeDirectory(nscd), .makeDirectory(nscd.appending("socket"))])
  }

  @Test func `What is in the way in a directory that the user may write to gives way only if the user insists`() throws
  {
    let fixture = try fixture()
    let parent = path(fixture.path("parent"))
    let mounts = [
      (fixture.path("source"), fixture.path("parent/file/deep")), (fixture.path("source"), fixture.path("parent/new")),
    ]
    #expect(
      throws: MountError.occupied(RawString(mounts[0].1), by: parent.appending("file").text)
    ) { try planned(mounts, mayWrite: true) }
    let planner = try planned(mounts, mayWrite: true, force: true)
    #expect(planner.mountPoints.isEmpty && planner.steps.first == .cover(parent, mode: 0o755))
    #expect(planner.steps.contains(.makeDirectory(parent.appending("new"))))
    #expect(!planner.steps.contains(.makeReadOnly(parent, mode: 0o755)) && !planner.steps.contains(.follow(parent)))
  }

  @Test func `A directory that holds an unreachable working directory is not covered`() throws {
    let fixture = try fixture()
    var plan = LaunchPlan(executable: "/bin/true", arguments: [], environment: [:], isolation: .user)
    plan.mounts = [
      .init(source: RawString(fixture.path("source")), target: RawString(fixture.path("parent/new")))
    ]
    let parent = RawString(fixture.path("parent"))
    #expect(throws: MountError.losesWorkingDirectory(parent)) {
      try MountPlanner.planned(for: plan, workingDirectory: RawString("\(parent)/unreachable")) { _ in false }
    }
    _ = try MountPlanner.planned(for: plan, workingDirectory: RawString("\(parent)/folder")) { _ in false }
  }

  private func mode(of path: String) throws -> UInt32? {
    if case .directory(let mode) = try FileKind.at(RawString(path)) { mode } else { nil }
  }

  @Test func `A mount at a relative, a protected or an inaccessible path is refused`() throws {
    let fixture = try fixture()
    let source = fixture.path("source")
    #expect(throws: MountError.notAbsolute("relative")) { try steps([(source, "relative")]) }
    #expect(throws: MountError.hides("/usr//bin/", .machine("programs and libraries are there"))) {
      try steps([(source, "/usr//bin/")])
    }
    #expect(throws: MountError.hides("/proc/devrun", .kernel("/proc"))) { try steps([(source, "/proc/devrun")]) }
    #expect(throws: MountError.inaccessible(RawString("\(source)/none"), .noEntry)) {
      try steps([("\(source)/none", fixture.path("target"))])
    }
    try FileManager.default.createSymbolicLink(atPath: fixture.path("loop"), withDestinationPath: "loop")
    #expect(throws: MountError.inaccessible(RawString(fixture.path("loop/x")), .tooManyLinks)) {
      try steps([(source, fixture.path("loop/x"))])
    }
  }
}
