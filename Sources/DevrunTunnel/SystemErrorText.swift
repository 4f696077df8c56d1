internal import Glibc
internal import NIOCore

/// The kernel's words for an errno.
package func systemErrorText(_ errno: Int32) -> String { String(cString: strerror(errno)) }

/// An error in words for people: the kernel's, where it is one of the kernel's.
package func reason(of error: any Error) -> String {
  (error as? IOError).map { systemErrorText($0.errnoCode) } ?? "\(error)"
}
