/// A place in a file, or the file as a whole.
public struct TextPosition: Sendable, Hashable, CustomStringConvertible {
  /// The file's name, as the user wrote or found it.
  public var source: String
  /// The place in the file; `nil` for the file as a whole.
  public var mark: TextMark?

  /// A place in a file, or the file as a whole.
  public init(source: String, mark: TextMark?) {
    self.source = source
    self.mark = mark
  }

  /// `file:line:column`, or `file` for the file as a whole.
  public var description: String {
    guard let mark else { return source }
    return "\(source):\(mark.line):\(mark.column)"
  }
}
