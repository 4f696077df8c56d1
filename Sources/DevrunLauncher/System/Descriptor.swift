import CLinux
import DevrunCore
import Glibc
import Synchronization

/// An open file descriptor that belongs to whoever holds this: it is closed with the last reference, or earlier.
final class Descriptor: Sendable {
  /// The descriptor's number.
  let number: Int32
  private let closed = Atomic(false)

  /// Takes over an open descriptor.
  init(_ number: Int32) { self.number = number }

  deinit { close() }

  /// Closes it now, for the sake of whoever waits for that at its other end.
  func close() {
    let wasClosed = closed.exchange(true, ordering: .relaxed)
    // A descriptor is gone after close, whatever close says of what was written to it before.
    if !wasClosed { _ = Glibc.close(number) }
  }
}

extension Descriptor {
  /// The two ends of a pipe, both close-on-exec.
  static func pipe() throws(Errno) -> (read: Descriptor, write: Descriptor) {
    var numbers: [Int32] = [-1, -1]
    try shim { devrun_pipe(&numbers) }
    return (Descriptor(numbers[0]), Descriptor(numbers[1]))
  }

  /// Two connected Unix sockets of the given type, both close-on-exec.
  static func socketPair(type: __socket_type) throws(Errno) -> (Descriptor, Descriptor) {
    var numbers: [Int32] = [-1, -1]
    try system { socketpair(AF_UNIX, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &numbers) }
    return (Descriptor(numbers[0]), Descriptor(numbers[1]))
  }

  /// Opens a file, close-on-exec.
  static func open(_ path: RawString, _ flags: Int32) throws(Errno) -> Descriptor {
    try path.withCString { (path) throws(Errno) in
      Descriptor(try system { Glibc.open(path, flags | O_CLOEXEC) })
    }
  }

  /// Reads all that is left.
  func readToEnd() throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = try system { Glibc.read(number, &chunk, chunk.count) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }
}
