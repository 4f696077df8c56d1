internal import DevrunCore
internal import DevrunSession
internal import Glibc

extension RunReporter {
  /// Does the part of a command that asks the cluster. Its failure is reported here and ends the process: whoever catches a
  /// thrown error would print it with the secrets that it quotes.
  ///
  /// - Throws: what no user is to read, as `body` does.
  func reportingFailure<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as any UserFacingError {
      report(failure: error)
      exit(error.exitStatus.rawValue)
    }
  }
}
