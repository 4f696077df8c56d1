internal import Glibc

/// An error number of the kernel (errno(3)).
public struct Errno: Error, Sendable, Hashable, RawRepresentable, Codable, CustomStringConvertible {
  /// The number, as in `errno`: positive.
  public var rawValue: Int32

  /// The error of the given number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The error that the C library reported last on this thread. To be read at once after the call that failed.
  public static var last: Errno { Errno(rawValue: errno) }

  /// The system's words for it (strerror(3)).
  public var description: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let address = buffer.baseAddress, strerror_r(rawValue, address, buffer.count) == 0 else {
        return "error \(rawValue)"
      }
      return String(cString: address)
    }
  }
}

extension Errno {
  /// EACCES
  public static let accessDenied = Errno(rawValue: EACCES)
  /// EAFNOSUPPORT
  public static let addressFamilyNotSupported = Errno(rawValue: EAFNOSUPPORT)
  /// EADDRNOTAVAIL
  public static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
  /// E2BIG
  public static let argumentListTooLong = Errno(rawValue: E2BIG)
  /// EPIPE
  public static let brokenPipe = Errno(rawValue: EPIPE)
  /// EBUSY
  public static let busy = Errno(rawValue: EBUSY)
  /// ECANCELED
  public static let cancelled = Errno(rawValue: ECANCELED)
  /// ECONNABORTED
  public static let connectionAborted = Errno(rawValue: ECONNABORTED)
  /// ECONNREFUSED
  public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
  /// ECONNRESET
  public static let connectionReset = Errno(rawValue: ECONNRESET)
  /// EEXIST
  public static let exists = Errno(rawValue: EEXIST)
  /// EFBIG
  public static let fileTooLarge = Errno(rawValue: EFBIG)
  /// EHOSTUNREACH
  public static let hostUnreachable = Errno(rawValue: EHOSTUNREACH)
  /// EIO
  public static let inputOutputError = Errno(rawValue: EIO)
  /// EINPROGRESS
  public static let inProgress = Errno(rawValue: EINPROGRESS)
  /// EINVAL
  public static let invalidArgument = Errno(rawValue: EINVAL)
  /// EISCONN
  public static let isConnected = Errno(rawValue: EISCONN)
  /// EISDIR
  public static let isADirectory = Errno(rawValue: EISDIR)
  /// ENETUNREACH
  public static let networkUnreachable = Errno(rawValue: ENETUNREACH)
  /// ENOENT
  public static let noEntry = Errno(rawValue: ENOENT)
  /// ENOSPC
  public static let noSpace = Errno(rawValue: ENOSPC)
  /// ESRCH
  public static let noSuchProcess = Errno(rawValue: ESRCH)
  /// ENOSYS
  public static let noSuchCall = Errno(rawValue: ENOSYS)
  /// ENOTDIR
  public static let notADirectory = Errno(rawValue: ENOTDIR)
  /// ENOTEMPTY
  public static let notEmpty = Errno(rawValue: ENOTEMPTY)
  /// EPERM
  public static let notPermitted = Errno(rawValue: EPERM)
  /// ENOMEM
  public static let outOfMemory = Errno(rawValue: ENOMEM)
  /// EPROTO
  public static let protocolError = Errno(rawValue: EPROTO)
  /// ETIMEDOUT
  public static let timedOut = Errno(rawValue: ETIMEDOUT)
  /// ELOOP
  public static let tooManyLinks = Errno(rawValue: ELOOP)
  /// EWOULDBLOCK, which is EAGAIN
  public static let wouldBlock = Errno(rawValue: EWOULDBLOCK)
}

/// Runs the body, and throws the error that is made of its own.
///
/// - Parameter failure: makes the error that is thrown.
/// - Throws: what `failure` returns.
@discardableResult
public func mappingErrno<Result, Failure: Error>(
  to failure: (Errno) -> Failure, _ body: () throws(Errno) -> Result
) throws(Failure) -> Result {
  do throws(Errno) { return try body() } catch { throw failure(error) }
}

/// Makes a system call that returns -1 on failure. Repeats it while it is interrupted by a signal (EINTR), and reads
/// `errno` at once.
///
/// - Throws: the error that the call failed with.
@discardableResult
public func system<Result: FixedWidthInteger>(_ call: () -> Result) throws(Errno) -> Result {
  while true {
    let result = call()
    if result != -1 { return result }
    let error = Errno.last
    if error.rawValue != EINTR { throw error }
  }
}

/// Calls a function of CLinux, which returns a negative errno on failure. Repeats it while it is interrupted by a signal.
///
/// - Throws: the error that the call failed with.
@discardableResult
public func shim<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
  while true {
    let result = call()
    if result >= 0 { return result }
    let code = Int32(-result)
    if code != EINTR { throw Errno(rawValue: code) }
  }
}
