internal import Glibc

/// The system's words for an errno (strerror(3)).
enum SystemMessage {
  /// The text for one errno.
  static func text(_ errno: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let address = buffer.baseAddress, strerror_r(errno, address, buffer.count) == 0 else {
        return "error \(errno)"
      }
      return String(cString: address)
    }
  }
}
