internal import DevrunCore
internal import DevrunSystem

/// Whether a program is installed where the tests look for programs.
///
/// - Parameter path: the folders to look in; by default those of ``TestProcess/environment``.
public func isInstalled(_ program: String, in path: String? = nil) -> Bool {
  let path = path.map { RawString($0) } ?? TestProcess.environment["PATH"]
  return (try? ExecutableSearch(path: path).find(RawString(program))) != nil
}
