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

/// An isolation, and who can have it.
struct IsolationCase: CustomTestStringConvertible {
  var isolation: IsolationChoice
  var user: TestUser

  static var all: [IsolationCase] {
    TestUser.available.flatMap { user in
      IsolationChoice.allCases.filter { $0 != .mount || getuid() == 0 }.map { IsolationCase(isolation: $0, user: user) }
    }
  }

  /// Those with a mount namespace.
  static var mounting: [IsolationCase] { all.filter { $0.isolation == .mount || $0.isolation == .user } }

  var testDescription: String { "\(isolation.rawValue), \(user.description)" }
}

@Suite("Hosts view", .sharingTheMachine)
struct HostsViewTests {
  @Test(arguments: IsolationCase.all)
  func `The command sees its own hosts file, and the machine's stays unchanged`(_ example: IsolationCase) async throws {
    let before = try Data(contentsOf: URL(fileURLWithPath: "/etc/hosts"))
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1 a-service.of.the.test\n")
    let outcome = try await fixture.run(
      ["sh", "-c", "cat /etc/hosts; getent hosts a-service.of.the.test; head -1 /proc/version >/dev/null"],
      as: example.user
    ) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
    }
    #expect(outcome.errors == "")
    #expect(outcome.output.split(separator: "\n").count == 2)
    #expect(outcome.output.contains("127.201.0.1     a-service.of.the.test"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: "/etc/hosts")) == before)
  }

  @Test(arguments: IsolationCase.all)
  func `The command sees host names that are added while it runs`(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1 first\n")
    let process = try fixture.launch(
      ["sh", "-c", "getent hosts first; read line; getent hosts second"], as: example.user
    ) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
    }
    try await process.output.wait(for: "first\n")
    let file = try #require(FileHandle(forWritingAtPath: hosts))
    try file.seekToEnd()
    try file.write(contentsOf: Data("127.201.0.2 second\n".utf8))
    try process.write("\n")
    #expect(try await process.status() == .exited(0))
    #expect(try await process.output.whole().contains("127.201.0.2     second"))
  }

  @Test(arguments: IsolationCase.all)
  func `The hosts file is never missing, cut or left with half a line while it grows`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1               first\n")
    let reader = """
      before = b""
      print("reading", flush=True)
      while not before.endswith(b" last\\n"):
        with open("/etc/hosts", "rb") as hosts: text = hosts.read()
        if not (text.startswith(before) and text.startswith(b"127.201.0.1               first\\n") and text.endswith(b"\\n")):
          print("lost", before, text)
          break
        before = text
      print("lines", before.count(b"\\n"))
      """
    let process = try fixture.launch(["python3", "-c", reader], as: example.user) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
    }
    try await process.output.wait(for: "reading\n")
    let file = try Descriptor.open(RawString(hosts), O_WRONLY | O_APPEND)
    for number in 0..<300 {
      // Of one length that a page holds so many times: the kernel writes page by page (`PagedLines` of the session).
      let name = number == 299 ? "last" : "service-\(number)"
      let address = "127.201.1.\(number % 250)"
      let gap = String(repeating: " ", count: 31 - address.utf8.count - name.utf8.count)
      let line = Array("\(address)\(gap)\(name)\n".utf8)
      try system { write(file.number, line, line.count) }
    }
    #expect(try await process.output.whole() == "reading\nlines 301\n")
  }

  @Test(arguments: IsolationCase.all)
  func `The command sees its own hosts file without any optional kernel features`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1 private.of.the.test\n")
    let outcome = try await fixture.run(["getent", "hosts", "private.of.the.test"], as: example.user) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
      $0.features = []
    }
    #expect(outcome.output == "127.201.0.1     private.of.the.test\n" && outcome.errors == "")
  }

  @Test func `The log of a launch begins with the isolation that was used`() async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "")
    let log = try fixture.write("log", "")
    _ = try await fixture.run(["true"]) {
      $0.plan.hostsFile = RawString(hosts)
      $0.log = log
    }
    let expected = devrun_has_sys_admin() ? "isolation mount" : "isolation "
    #expect(try String(contentsOfFile: log, encoding: .utf8).hasPrefix(expected))
  }

  @Test(arguments: IsolationCase.all)
  func `The command sees its own name service switch file`(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    let file = try fixture.write("nsswitch.conf", "hosts: files\n")
    let outcome = try await fixture.run(["cat", "/etc/nsswitch.conf"], as: example.user) {
      $0.plan.nameServiceSwitchFile = RawString(file)
      $0.isolate(as: example)
    }
    #expect(outcome.output == "hosts: files\n")
  }

  @Test(arguments: IsolationCase.mounting)
  func `The command keeps its user id in a mount namespace`(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "")
    let outcome = try await fixture.run(["id", "-u"], as: example.user) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
    }
    #expect(outcome.output == "\(example.user == .nobody ? 65534 : getuid())\n")
  }
}
