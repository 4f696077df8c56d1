public import DevrunCore

extension RawString {
  /// The string that a C function or the kernel gave, up to its NUL.
  public init(cString: UnsafePointer<CChar>) {
    var bytes: [UInt8] = []
    var next = cString
    while next.pointee != 0 {
      bytes.append(UInt8(bitPattern: next.pointee))
      next += 1
    }
    self.init(bytes)
  }

  /// Calls the body with the bytes and a final NUL.
  public func withCString<Result, Failure: Error>(
    _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let characters = bytes.map { CChar(bitPattern: $0) } + [0]
    return try characters.withUnsafeBufferPointer { (buffer) throws(Failure) in
      try body(buffer.baseAddress!)
    }
  }
}

/// An array of C strings as `execve` takes it: it ends with a null pointer and stays in place.
public final class CStringArray {
  /// The array.
  public let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  /// Copies the strings.
  public init(_ strings: [RawString]) {
    count = strings.count
    pointers = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() {
      let characters = UnsafeMutablePointer<CChar>.allocate(capacity: string.bytes.count + 1)
      for (offset, byte) in string.bytes.enumerated() { characters[offset] = CChar(bitPattern: byte) }
      characters[string.bytes.count] = 0
      (pointers + index).initialize(to: characters)
    }
    (pointers + count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { pointers[index]?.deallocate() }
    pointers.deallocate()
  }
}
