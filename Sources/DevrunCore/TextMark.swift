/// A place in a text. Lines and columns count from 1. A column counts characters, not bytes.
public struct TextMark: Sendable, Hashable, Comparable {
  /// The line, from 1.
  public var line: Int
  /// The column, from 1.
  public var column: Int

  /// A place of the given line and column.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// The order of reading.
  public static func < (left: TextMark, right: TextMark) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}
