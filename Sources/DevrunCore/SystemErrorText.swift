internal import Glibc

/// The system's words for an errno (strerror(3)).
package func systemErrorText(_ errno: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let address = buffer.baseAddress, strerror_r(errno, address, buffer.count) == 0 else {
      return "error \(errno)"
    }
    return String(cString: address)
  }
}
