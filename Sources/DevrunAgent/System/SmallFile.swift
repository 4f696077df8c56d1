internal import DevrunTunnel
internal import Glibc
internal import NIOCore

/// Reads files whose size the kernel does not tell, such as those in /proc.
enum SmallFile {
  /// The content, `limit` bytes at most.
  ///
  /// - Throws: an `IOError`.
  static func read(_ path: String, limit: Int = 8 << 20) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "open \(path)") }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while content.count < limit {
      let count = Glibc.read(descriptor, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw IOError(errnoCode: errno, reason: "read \(path)") }
      if count == 0 { break }
      content += piece.prefix(count)
    }
    return content
  }
}
