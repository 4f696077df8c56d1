/// A pattern for names, in which `*` matches any run of characters, none included. Every other character matches
/// itself.
public struct Wildcard: Sendable, Hashable, CustomStringConvertible {
  /// The pattern as written.
  public var text: String

  /// A pattern of the given text.
  public init(_ text: String) { self.text = text }

  /// The pattern as written.
  public var description: String { text }

  /// Whether the pattern matches the whole name.
  public func matches(_ name: String) -> Bool {
    let name = Array(name.utf8)
    let pattern = Array(text.utf8)
    var position = 0
    var index = 0
    // Where to go on when a letter does not fit: behind the last star, which then swallows one letter more.
    var retry: (pattern: Int, name: Int)?
    while index < name.count {
      if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
        position += 1
        retry = (position, index)
      } else if position < pattern.count, pattern[position] == name[index] {
        position += 1
        index += 1
      } else if let last = retry {
        position = last.pattern
        index = last.name + 1
        retry = (position, index)
      } else {
        return false
      }
    }
    return pattern[position...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
