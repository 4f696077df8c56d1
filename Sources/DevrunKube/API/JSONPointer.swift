/// A place in a JSON document (RFC 6901): the names and indices on the way to it.
public struct JSONPointer: Sendable, Hashable, CustomStringConvertible, ExpressibleByArrayLiteral {
  /// The reference tokens, not escaped. The empty pointer is the whole document.
  public var tokens: [String]

  /// A pointer of the given tokens.
  public init(_ tokens: [String]) { self.tokens = tokens }

  /// A pointer of the given tokens.
  public init(arrayLiteral elements: String...) { tokens = elements }

  /// The pointer to a member or an element of what this one points to. As an element's index, `-` is the place
  /// after the last one.
  public func appending(_ token: String) -> JSONPointer { JSONPointer(tokens + [token]) }

  /// The pointer to an element of the array that this one points to.
  public func appending(_ index: Int) -> JSONPointer { appending(String(index)) }

  /// The text of RFC 6901: each token after a slash, with `~` as `~0` and `/` as `~1`.
  public var description: String {
    tokens.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
  }
}
