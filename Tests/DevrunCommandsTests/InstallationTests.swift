import Foundation
import TestSupport
import Testing

/// `make install`, of files that stand for the built ones, and with programs of the test's in the place of the system's.
@Suite("Installation")
struct InstallationTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let built = ["bin/devrun", "payload/agent.gz.000", "payload/architecture", "payload/loader", "payload/devrun-exec"]
    for name in built { try folder.write(name, "") }
    // What a file was given is kept beside it, and each call is written down.
    try tool("setcap", "printf '%s %s\\n' \"$1\" \"$2\" > \"$2.capabilities\"")
    try tool("getcap", "cat \"$1.capabilities\"; rm \"$1.capabilities\"")
    try tool("apparmor_parser", "")
  }

  private func tool(_ name: String, _ action: String) throws {
    let line = "#!/bin/sh\necho \(name) \"$@\" >> \(folder.path("calls"))\n\(action)\n"
    try folder.write("tools/\(name)", line, mode: 0o755)
  }

  /// Makes a target, with the folder as the machine's root.
  ///
  /// - Parameter setting: further variables.
  private func make(_ target: String, _ settings: [String] = []) async throws -> Outcome {
    let root = URL(fileURLWithPath: #filePath).pathComponents.dropLast(3).joined(separator: "/")
    return try await Outcome(
      of: "/usr/bin/make",
      [
        "--no-print-directory", "-C", root, target, "bin=\(folder.path("bin"))", "payload=\(folder.path("payload"))",
        "PREFIX=/usr", "DESTDIR=\(folder.path)",
      ] + settings, environment: ["PATH": "\(folder.path("tools")):/usr/bin:/bin"], in: folder.path)
  }

  private func text(of name: String) -> String? { try? String(contentsOfFile: folder.path(name), encoding: .utf8) }

  @Test func `A new devrun-exec has the capabilities that the old one was given`() async throws {
    for target in ["install", "install-capability", "install"] {
      let outcome = try await make(target)
      #expect(outcome.status == 0, "\(outcome)")
    }
    #expect(
      text(of: "usr/libexec/devrun/devrun-exec.capabilities")?.hasPrefix("cap_sys_admin,cap_sys_chroot+ep ") == true)
  }

  @Test func `A devrun-exec without capabilities gets none by an installation`() async throws {
    for _ in 0..<2 { #expect(try await make("install").status == 0) }
    #expect(text(of: "calls")?.contains("setcap") == false)
  }

  /// Installs on a machine whose kernel says so of AppArmor (`/sys/module/apparmor/parameters/enabled`).
  private func install(whereAppArmorIs enabled: String) async throws -> Outcome {
    let enabledFile = try folder.write("enabled", "\(enabled)\n")
    try folder.write("apparmor.d/other", "")
    return try await make(
      "install",
      [
        "DESTDIR=", "PREFIX=\(folder.path("usr"))", "apparmor_folder=\(folder.path("apparmor.d"))",
        "apparmor_enabled=\(enabledFile)",
      ])
  }

  @Test(arguments: ["Y", "N"])
  func `The AppArmor profile is loaded into a kernel that has AppArmor`(enabled: String) async throws {
    let outcome = try await install(whereAppArmorIs: enabled)
    #expect(outcome.status == 0, "\(outcome)")
    let profile = folder.path("apparmor.d/devrun")
    #expect(text(of: "calls")?.contains("apparmor_parser --replace \(profile)\n") == (enabled == "Y"))
    #expect(text(of: "apparmor.d/devrun")?.contains("\"\(folder.path("usr"))/bin/devrun\"") == true)
  }

  @Test func `An installation where the kernel refuses the AppArmor profile reports that and succeeds`() async throws {
    try tool("apparmor_parser", "[ \"$1\" != --replace ]")
    let outcome = try await install(whereAppArmorIs: "Y")
    #expect(outcome.status == 0 && outcome.errors.contains("not taken the profile"), "\(outcome)")
    #expect(text(of: "apparmor.d/devrun") != nil)
  }

  @Test func `A package's profile is not loaded where it is made`() async throws {
    #expect(try await make("install", ["apparmor_enabled=\(try folder.write("enabled", "Y\n"))"]).status == 0)
    #expect(text(of: "etc/apparmor.d/devrun") != nil && text(of: "calls")?.contains("--replace") == false)
  }
}
