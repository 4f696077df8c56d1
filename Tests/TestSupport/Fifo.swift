public import DevrunSystem
internal import DevrunCore
internal import Glibc

/// A FIFO (fifo(7)) by which a test and the processes that it started wait for each other.
public struct Fifo: Sendable {
  /// Where it is.
  public let path: String

  /// Makes the FIFO. All users may read and write it.
  ///
  /// - Throws: the error of mkfifo(3) or chmod(2).
  public init(_ path: String) throws {
    self.path = path
    try system { mkfifo(path, 0o666) }
    try system { chmod(path, 0o666) }
  }

  /// Opens it for writing, which takes until somebody reads it.
  ///
  /// - Throws: ``TestFailure`` if nobody does in time; the error of open(2).
  public func openForWriting(
    within limit: Duration = patience, fileID: String = #fileID, line: Int = #line
  ) async throws -> Descriptor {
    let opened = Latch<Result<Descriptor, Errno>>()
    try NativeThread.start(name: "test-open") { [path] in
      opened.set(Result { () throws(Errno) in try Descriptor.open(RawString(path), O_WRONLY) })
    }
    guard let descriptor = await opened.wait(for: limit) else {
      try Task.checkCancellation()
      throw TestFailure("nobody reads \(path) after \(limit) (\(fileID):\(line))")
    }
    return try descriptor.get()
  }
}
