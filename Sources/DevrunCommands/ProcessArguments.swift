internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// This process's arguments as the system has them: bytes, which need not be UTF-8.
enum ProcessArguments {
  /// The last arguments of this process.
  static func last(_ count: Int) -> [RawString] {
    let all = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { string($0) } }
    return Array(all.suffix(count))
  }

  private static func string(_ pointer: UnsafeMutablePointer<CChar>) -> RawString {
    RawString(UnsafeBufferPointer(start: pointer, count: strlen(pointer)).map { UInt8(bitPattern: $0) })
  }
}
