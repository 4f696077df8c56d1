import DevrunCore
import Glibc

/// An error number of the kernel.
public struct Errno: Error, Sendable, Hashable, RawRepresentable, CustomStringConvertible {
  /// The number, as in `errno`: positive.
  public var rawValue: Int32

  /// The error of the given number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The kernel's words for it.
  public var description: String { systemErrorText(rawValue) }
}

extension Errno {
  static let accessDenied = Errno(rawValue: EACCES)
  static let argumentListTooLong = Errno(rawValue: E2BIG)
  static let tooManyLinks = Errno(rawValue: ELOOP)
  static let brokenPipe = Errno(rawValue: EPIPE)
  static let busy = Errno(rawValue: EBUSY)
  static let connectionRefused = Errno(rawValue: ECONNREFUSED)
  static let connectionReset = Errno(rawValue: ECONNRESET)
  static let inProgress = Errno(rawValue: EINPROGRESS)
  static let invalidArgument = Errno(rawValue: EINVAL)
  static let networkUnreachable = Errno(rawValue: ENETUNREACH)
  static let noEntry = Errno(rawValue: ENOENT)
  static let noMemory = Errno(rawValue: ENOMEM)
  static let noSpace = Errno(rawValue: ENOSPC)
  static let noSuchCall = Errno(rawValue: ENOSYS)
  static let noTextFormat = Errno(rawValue: ENOEXEC)
  static let notADirectory = Errno(rawValue: ENOTDIR)
  static let protocolError = Errno(rawValue: EPROTO)
  static let notPermitted = Errno(rawValue: EPERM)
}

/// Calls the system until it is not interrupted, and takes `errno` at once. For calls that return -1 on failure.
@discardableResult
func system<Result: FixedWidthInteger>(_ call: () -> Result) throws(Errno) -> Result {
  while true {
    let result = call()
    if result != -1 { return result }
    let code = errno
    if code != EINTR { throw Errno(rawValue: code) }
  }
}

/// Calls a shim of CLinux, which returns a negative errno on failure.
@discardableResult
func shim<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
  while true {
    let result = call()
    if result >= 0 { return result }
    let code = Int32(-result)
    if code != EINTR { throw Errno(rawValue: code) }
  }
}
