import DevrunPlan
import Glibc
import Testing

@testable import DevrunLauncher

/// Whether a program is installed where the tests look for programs.
func isInstalled(_ program: String) -> Bool {
  ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].contains { access("\($0)/\(program)", X_OK) == 0 }
}

extension LaunchFixture {
  /// Compiles a program of C.
  ///
  /// - Parameter options: what else the compiler is told.
  /// - Returns: the program's path.
  func compile(_ name: String, _ source: String, _ options: [String] = []) async throws -> String {
    let file = try write("\(name).c", source)
    let compiler = try SpawnedProcess(["gcc"] + options + ["-o", path(name), file], keeping: self)
    try #require(await compiler.status() == .exited(0), "gcc: \(compiler.errors.text)")
    chmod(path(name), 0o755)
    return path(name)
  }
}
