import Foundation
import TestSupport
import Glibc

/// What devrun could leave behind on this machine.
struct Machine: Sendable {
  let user: OrdinaryUser
  let devrun: String

  /// In words, everything that devrun or its child has left.
  func leftovers() throws -> [String] {
    try processes().map { "process \($0.id): \($0.command)" }
      + mounts().map { "mount \($0)" }
      + files().map { "file \($0)" }
  }

  /// Waits until devrun and its child have left nothing: what they end, ends a moment later.
  func isClean() async throws {
    try await eventually(within: .seconds(20)) {
      let left = try leftovers()
      return left.isEmpty ? nil : "left on this machine:\n\(left.joined(separator: "\n"))"
    }
  }

  /// The processes of the tests' user or, where that is everyone's own user, those of devrun's binary.
  func processes() throws -> [(id: pid_t, command: String)] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { name in
      guard let id = pid_t(name), id != getpid() else { return nil }
      var status = stat()
      guard stat("/proc/\(name)", &status) == 0 else { return nil }
      // One that has ended between the two looks has no executable any more; neither has one that waits to be reaped.
      let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(name)/exe")
      guard let executable, user.isOther ? status.st_uid == user.id : executable == devrun else { return nil }
      let line = (try? Data(contentsOf: URL(filePath: "/proc/\(name)/cmdline"))) ?? Data()
      return (id, String(decoding: line, as: UTF8.self).replacingOccurrences(of: "\0", with: " "))
    }
  }

  /// Mounts of this machine's own view that name devrun.
  func mounts() throws -> [String] {
    try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
      .split(separator: "\n").map(String.init).filter { $0.contains("devrun") }
  }

  /// The logs of sessions, which are meant to stay.
  func logs() throws -> [String] {
    let folder = "\(user.temporary)/devrun"
    guard FileManager.default.fileExists(atPath: folder) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { "\(folder)/\($0)" }
      .filter { $0.hasSuffix(".log") }
  }

  /// Files in temporary folders, and anything but logs in the user's own temporary folder and home.
  func files() throws -> [String] {
    let manager = FileManager.default
    var found: [String] = []
    for folder in [user.temporary, user.home] {
      found += try manager.subpathsOfDirectory(atPath: folder).map { "\(folder)/\($0)" }
    }
    let meantToStay = try ["\(user.temporary)/devrun"] + logs()
    found.removeAll(where: meantToStay.contains)
    for folder in ["/tmp", "/var/tmp", "/dev/shm", "/run", "/run/user/\(user.id)"] {
      for name in (try? manager.contentsOfDirectory(atPath: folder)) ?? [] {
        let path = "\(folder)/\(name)"
        var status = stat()
        guard path != user.folder, lstat(path, &status) == 0, status.st_uid == user.id else { continue }
        if user.isOther || name.contains("devrun") { found.append(path) }
      }
    }
    return found
  }

  /// The files of the tests' user of a name, wherever on this machine.
  func files(named name: String) async throws -> [String] {
    let found = try await run(
      [
        "find", "/", "(", "-path", "/proc", "-o", "-path", "/sys", ")", "-prune", "-o", "-uid", "\(user.id)", "-name",
        name,
        "-print",
      ], expecting: nil, within: .seconds(120))
    return found.output.split(separator: "\n").map(String.init)
  }

  /// The files of the tests' user that changed in the last two hours, wherever on this machine, and hold a text.
  func files(holding text: String) async throws -> [String] {
    let found = try await run(
      [
        "find", "/", "(", "-path", "/proc", "-o", "-path", "/sys", ")", "-prune", "-o", "-type", "f", "-uid",
        "\(user.id)", "-mmin", "-120", "-size", "-2048k", "-exec", "grep", "-lF", "--", text, "{}", "+",
      ], expecting: nil, within: .seconds(120))
    return found.output.split(separator: "\n").map(String.init)
  }
}
