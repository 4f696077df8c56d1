import Glibc
import TestSupport
import devrun_launch

@testable import DevrunLauncher

extension LaunchFixture {
  /// Compiles a program of C.
  ///
  /// - Parameter options: further options of the compiler.
  /// - Returns: the program's path.
  func compile(_ name: String, _ source: String, _ options: [String] = []) async throws -> String {
    let file = try write("\(name).c", source)
    try await TestProcess.run(["gcc"] + options + ["-o", path(name), file])
    chmod(path(name), 0o755)
    return path(name)
  }

  /// Does something in an interactive shell.
  ///
  /// - Parameters:
  ///   - command: what is launched by the word `launch`, or in another shell by `$LAUNCH`.
  ///   - body: what is typed and expected.
  func withShell(_ command: [String], _ body: (Typist) async throws -> Void) async throws {
    let line = try commandLine(LaunchScript(plan: Self.plan(command))).joined(separator: " ")
    let person = try Typist(inShellKeeping: self)
    defer { person.end() }
    try await person.waitForPrompt()
    try await person.type(
      command: "export LAUNCH='\(line)'; alias launch=\"$LAUNCH\"; echo al'i'ased", until: "aliased\r\n")
    try await body(person)
  }
}
