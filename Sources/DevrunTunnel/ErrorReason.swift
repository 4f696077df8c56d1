internal import DevrunCore
internal import DevrunSystem
internal import NIOCore

/// An error in words for people: the kernel's, where it is one of the kernel's.
package func reason(of error: any Error) -> String {
  (error as? IOError).map { Errno(rawValue: $0.errnoCode).description } ?? "\(error)"
}
