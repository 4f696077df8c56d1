internal import CLinux
public import DevrunCore
public import Glibc
internal import Synchronization

/// An open file descriptor that belongs to whoever holds this object. It is closed with the last reference, or earlier.
public final class Descriptor: Sendable {
  /// The descriptor's number.
  public let number: Int32
  private let closed = Atomic(false)

  /// Takes over an open descriptor.
  public init(_ number: Int32) { self.number = number }

  deinit { close() }

  /// Closes the descriptor now, for the sake of whoever waits for that at its other end.
  public func close() {
    let wasClosed = closed.exchange(true, ordering: .relaxed)
    // A descriptor is gone after close(2), whatever close returns about data that was written to it before.
    if !wasClosed { _ = Glibc.close(number) }
  }
}

extension Descriptor {
  /// The two ends of a pipe, both close-on-exec.
  ///
  /// - Throws: the error of pipe2(2).
  public static func pipe() throws(Errno) -> (read: Descriptor, write: Descriptor) {
    var numbers: [Int32] = [-1, -1]
    try shim { devrun_pipe(&numbers) }
    return (Descriptor(numbers[0]), Descriptor(numbers[1]))
  }

  /// Two connected Unix sockets of the given type, both close-on-exec.
  ///
  /// - Throws: the error of socketpair(2).
  public static func socketPair(type: __socket_type) throws(Errno) -> (Descriptor, Descriptor) {
    var numbers: [Int32] = [-1, -1]
    try system { socketpair(AF_UNIX, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &numbers) }
    return (Descriptor(numbers[0]), Descriptor(numbers[1]))
  }

  /// Opens a file, close-on-exec.
  ///
  /// - Parameters:
  ///   - path: absolute, or seen from the folder, or from the working directory where there is no folder.
  ///   - flags: those of open(2); O_CLOEXEC is added.
  ///   - mode: the mode of a file that is made.
  ///   - folder: an open folder.
  /// - Throws: the error of openat(2).
  public static func open(
    _ path: RawString, _ flags: Int32, mode: UInt32 = 0, in folder: Descriptor? = nil
  ) throws(Errno) -> Descriptor {
    try path.withCString { (path) throws(Errno) in
      Descriptor(try system { openat(folder?.number ?? AT_FDCWD, path, flags | O_CLOEXEC, mode) })
    }
  }

  /// The file's type, size, times and so on.
  ///
  /// - Throws: the error of fstat(2).
  public func status() throws(Errno) -> stat {
    var status = stat()
    try system { fstat(number, &status) }
    return status
  }

  /// Reads what there is now, up to a number of bytes; nothing at the end.
  ///
  /// - Throws: the error of read(2).
  public func read(upTo count: Int) throws(Errno) -> [UInt8] {
    var failure: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(Errno) {
        initialized = try system { Glibc.read(number, buffer.baseAddress, buffer.count) }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Reads all that is left.
  ///
  /// - Parameter limit: the largest number of bytes that is accepted.
  /// - Throws: the error of read(2); `Errno.fileTooLarge` if there is more than the limit.
  public func readToEnd(limit: Int = .max) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let chunk = try read(upTo: 1 << 16)
      if chunk.isEmpty { return bytes }
      guard chunk.count <= limit - bytes.count else { throw .fileTooLarge }
      bytes += chunk
    }
  }

  /// Writes all bytes, in as many calls as it takes.
  ///
  /// - Throws: the error of write(2); some of the bytes may have been written then.
  public func writeAll(_ bytes: some Sequence<UInt8>) throws(Errno) { try Self.writeAll(bytes, to: number) }

  /// Writes all bytes to a descriptor that belongs to nobody here, such as standard error.
  ///
  /// - Throws: the error of write(2); some of the bytes may have been written then.
  public static func writeAll(_ bytes: some Sequence<UInt8>, to number: Int32) throws(Errno) {
    try Array(bytes).withUnsafeBufferPointer { (buffer) throws(Errno) in
      var rest = UnsafeRawBufferPointer(buffer)[...]
      while !rest.isEmpty {
        let chunk = UnsafeRawBufferPointer(rebasing: rest)
        let count = try system { Glibc.write(number, chunk.baseAddress, chunk.count) }
        // What takes nothing and reports no error is full (write(2) leaves this open).
        guard count > 0 else { throw .noSpace }
        rest = rest.dropFirst(count)
      }
    }
  }
}
