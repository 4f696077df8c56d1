import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// `devrun-exec`, which anybody can start once it has its capabilities. What a command meets behind it is part of the
/// tests of each way in.
@Suite(
  "Launch by devrun-exec", .sharingTheMachine,
  .enabled(if: getuid() == 0, "root is needed, to give file capabilities"))
struct HelperTests {
  private static let nobody = IsolationCase(isolation: .mount, user: .nobody)

  /// Runs a shell script as nobody behind it.
  private func run(_ script: String, _ fixture: LaunchFixture) async throws -> Outcome {
    let hosts = try fixture.write("hosts", "127.201.0.1 private\n")
    return try await fixture.run(["sh", "-c", script], as: .nobody) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: Self.nobody)
    }
  }

  @Test func `devrun-exec leaves the command no capabilities and no way to gain any`() async throws {
    let outcome = try await run("grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status", LaunchFixture())
    let sets = outcome.output.split(separator: "\n").map { $0.split(separator: "\t").last ?? "" }
    #expect(sets == ["0", "0", "0", "0"].map { String(repeating: $0, count: 16)[...] } + ["1"], "\(outcome)")
  }

  @Test func `devrun-exec adds nothing to the environment, the descriptors and the name of the command`() async throws {
    let fixture = try LaunchFixture()
    let outcome = try await run("tr '\\0' '\\n' < /proc/$$/environ; ls /proc/$$/fd; cat /proc/$$/comm", fixture)
    let environment = try LaunchFixture.plan(["sh"]).environment.entries.map { "\($0)\n" }.joined()
    #expect(outcome.output == environment + "0\n1\n2\nsh\n" && outcome.errors == "", "\(outcome)")
  }

  @Test func `Automatic isolation prefers an installed devrun-exec to a user namespace`() async throws {
    let fixture = try LaunchFixture()
    let log = try fixture.write("log", "")
    chmod(log, 0o666)
    let hosts = try fixture.write("hosts", "127.201.0.1 private\n")
    let outcome = try await fixture.run(["grep", "private", "/etc/hosts"], as: .nobody) {
      $0.plan.hostsFile = RawString(hosts)
      $0.helper = RawString(PrivilegedHelper.path)
      $0.log = log
    }
    #expect(outcome.status == .exited(0) && outcome.errors == "")
    #expect(try String(contentsOfFile: log, encoding: .utf8).contains("isolation mount\n"))
  }

  @Test func `Automatic isolation takes a user namespace if devrun-exec cannot be used`() async throws {
    let fixture = try LaunchFixture()
    let broken = try await fixture.writeProgram("broken", "#!/nonexistent\n")
    let hosts = try fixture.write("hosts", "")
    for (helper, prefix) in [
      (LaunchFixture.built("devrun-exec"), []), (broken, []), (fixture.path("missing"), []),
      (PrivilegedHelper.path, ["setpriv", "--no-new-privs", "--"]),
    ] {
      let log = try fixture.write("log", "")
      chmod(log, 0o666)
      var script = LaunchScript(plan: try LaunchFixture.plan(["true"]))
      script.plan.hostsFile = RawString(hosts)
      script.helper = RawString(helper)
      script.log = log
      let process = try TestProcess(prefix + fixture.commandLine(script, as: .nobody), keeping: fixture)
      #expect(try await process.status() == .exited(0), "\(helper)")
      #expect(try String(contentsOfFile: log, encoding: .utf8).contains("isolation user\n"), "\(helper)")
    }
  }

  @Test func `devrun-exec prints what it is and exits with 125 if a user starts it by hand`() async throws {
    for arguments in [[], ["1"], ["1", "x"], ["-1", "2"], ["99", "2"], ["1", "2", "3"]] {
      let process = try TestProcess(
        TestUser.nobody.command([PrivilegedHelper.path] + arguments), keeping: LaunchFixture())
      #expect(try await process.status() == .exited(125), "\(arguments)")
      #expect(try await process.errors.whole().contains("a part of devrun"), "\(arguments)")
    }
  }
}

/// The form in which a launch gets to `devrun-exec`, which trusts none.
@Suite("Record of a launch")
struct LaunchRecordTests {
  /// Writes the record of a launch and hands its bytes to the body.
  private func record() throws -> [UInt8] {
    let strings = CStringArray(["/bin/true", "true", "A=1", "B="])
    let one = CStringArray(["true"])
    let steps = [
      devrun_mount_step(
        kind: DEVRUN_MOUNT_BIND, source: strings.pointers[0], target: strings.pointers[1], mode: 0o755)
    ]
    let descriptors: [Int32] = [0, 1, 2, 9]
    return try steps.withUnsafeBufferPointer { steps in
      try descriptors.withUnsafeBufferPointer { descriptors in
        var launch = devrun_launch()
        launch.path = UnsafePointer(strings.pointers[0])
        launch.arguments = UnsafePointer(one.pointers)
        launch.environment = UnsafePointer(strings.pointers)
        launch.shell_arguments = UnsafePointer(one.pointers)
        launch.steps = steps.baseAddress
        launch.step_count = steps.count
        launch.descriptors = descriptors.baseAddress
        launch.descriptor_count = descriptors.count
        launch.listener_socket = 9
        launch.gate = 7
        launch.gate_writer = 8
        let file = Descriptor(try shim { devrun_write_record(&launch) })
        return try file.readToEnd()
      }
    }
  }

  /// What the reader says of bytes, and the launch where it takes them.
  private func read(_ bytes: [UInt8]) throws -> (result: Int32, launch: devrun_launch) {
    let fixture = try LaunchFixture()
    let path = fixture.path("record")
    try Data(bytes).write(to: URL(filePath: path))
    let file = try Descriptor.open(RawString(path), O_RDONLY)
    var launch = devrun_launch()
    return (devrun_read_record(file.number, &launch), launch)
  }

  @Test func `The record of a launch is read as it was written`() throws {
    let (result, launch) = try read(record())
    #expect(result == 0)
    #expect(String(cString: launch.path) == "/bin/true")
    #expect(launch.environment[2].map { String(cString: $0) } == "A=1")
    #expect(launch.environment[3].map { String(cString: $0) } == "B=")
    #expect(launch.environment[4] == nil)
    #expect(launch.step_count == 1 && String(cString: launch.steps[0].target) == "true")
    #expect((0..<launch.descriptor_count).map { launch.descriptors[$0] } == [0, 1, 2, 9])
    #expect(
      launch.filter == nil && launch.gate == 7 && launch.gate_writer == -1 && launch.helper == nil
        && !launch.no_new_privileges)
  }

  @Test func `A record of a launch that is cut off or too long is refused`() throws {
    let whole = try record()
    for count in 0..<whole.count { #expect(try read(Array(whole[..<count])).result == -EPROTO, "\(count)") }
    #expect(try read(whole + [0]).result == -EPROTO)
  }

  @Test func `A record of a launch with one changed byte is refused, or read within its bounds`() throws {
    let whole = try record()
    for index in whole.indices {
      for value in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] where whole[index] != value {
        var bytes = whole
        bytes[index] = value
        let (result, launch) = try read(bytes)
        #expect(result == 0 || result == -EPROTO)
        // A change of the magic is never taken.
        if index < 8 { #expect(result == -EPROTO) }
        guard result == 0 else { continue }
        // What is read can be walked through to its end.
        var count = 0
        while let variable = launch.environment[count] {
          _ = strlen(variable)
          count += 1
        }
      }
    }
  }
}
