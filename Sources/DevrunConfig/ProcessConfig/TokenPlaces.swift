internal import DevrunCore

/// The places of the tokens in a YAML text. The YAML reader has only the place where a value begins, since quotes,
/// escapes and folded lines are undone in the value. But the n-th token of a value is the n-th `$(` behind its
/// beginning.
struct TokenPlaces {
  /// Every `$(` of the text, in order.
  private let places: [TextMark]

  /// Reads a text in UTF-8. In another encoding no places are found, and values stand for their tokens.
  init(_ bytes: [UInt8]) {
    var places: [TextMark] = []
    var mark = TextMark(line: 1, column: 1)
    var previous: Unicode.Scalar?
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars where scalar != "\u{feff}" {
      if let previous, Self.isBreak(previous), !(previous == "\r" && scalar == "\n") {
        mark = TextMark(line: mark.line + 1, column: 1)
      }
      if previous == "$", scalar == "(" { places.append(TextMark(line: mark.line, column: mark.column - 1)) }
      mark.column += 1
      previous = scalar
    }
    self.places = places
  }

  /// The place of the token of the given number (from 0) in a value, which begins at `start`; that place where the
  /// token was written in some other way.
  func place(ofToken number: Int, after start: TextMark) -> TextMark {
    // The first place that is not before the value, by bisection.
    var low = 0
    var high = places.count
    while low < high {
      let middle = (low + high) / 2
      if places[middle] < start { low = middle + 1 } else { high = middle }
    }
    return low + number < places.count ? places[low + number] : start
  }

  /// Whether a line of YAML ends with the character (YAML 1.1, section 4.1.4).
  private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": true
    default: false
    }
  }
}
