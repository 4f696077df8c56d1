internal import DevrunCore
internal import Glibc

/// This process's environment and arguments as the system has them: bytes, which need not be UTF-8.
enum ProcessEnvironment {
  /// The variables. Of two with one name the first counts, as for getenv(3).
  static var current: [RawString: RawString] {
    var variables: [RawString: RawString] = [:]
    var next = environ
    while let entry = next.pointee {
      let bytes = string(entry).bytes
      if let equals = bytes.dropFirst().firstIndex(of: UInt8(ascii: "=")) {
        let name = RawString(bytes[..<equals])
        if variables[name] == nil { variables[name] = RawString(bytes[(equals + 1)...]) }
      }
      next += 1
    }
    return variables
  }

  /// The last arguments of this process.
  static func lastArguments(_ count: Int) -> [RawString] {
    let all = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { string($0) } }
    return Array(all.suffix(count))
  }

  private static func string(_ pointer: UnsafeMutablePointer<CChar>) -> RawString {
    RawString(UnsafeBufferPointer(start: pointer, count: strlen(pointer)).map { UInt8(bitPattern: $0) })
  }
}
