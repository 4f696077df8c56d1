import CLinux
import DevrunCore
import DevrunSystem
import Glibc

/// The descriptors that devrun itself keeps of those it was started with.
enum StandardStreams {
  /// Gives up all descriptors but standard error and the given ones. Standard input and output are /dev/null then.
  static func release(keeping kept: [Int32]) throws(Errno) {
    try disconnect([0, 1])
    var next: UInt32 = 3
    for number in kept.sorted() where number >= 3 {
      if UInt32(number) > next { try shim { devrun_close_range(next, UInt32(number) - 1) } }
      next = UInt32(number) + 1
    }
    try shim { devrun_close_range(next, .max) }
  }

  /// Replaces the descriptors by /dev/null.
  static func disconnect(_ numbers: [Int32]) throws(Errno) {
    let null = try Descriptor.open("/dev/null", O_RDWR)
    for number in numbers { try shim { devrun_replace(null.number, number) } }
  }

  /// Prints a line on standard error in one piece.
  static func printError(_ line: String) {
    // If this fails, there is nobody else to report it to.
    try? Descriptor.writeAll((line + "\n").utf8, to: 2)
  }
}
