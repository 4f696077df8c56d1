/// Durations as people write them: `30s`, `5m`, `1m30s`, as kubectl's `--timeout` takes them, in whole units.
public enum DurationText {
  private static let units: [(suffix: Character, seconds: Int64)] = [("h", 3600), ("m", 60), ("s", 1)]

  /// The duration in its units, without those that are zero, and without fractions of a second.
  public static func text(_ duration: Duration) -> String {
    var rest = duration.components.seconds
    guard rest > 0 else { return "0s" }
    return units.reduce(into: "") { text, unit in
      let count = rest / unit.seconds
      rest %= unit.seconds
      if count > 0 { text += "\(count)\(unit.suffix)" }
    }
  }

  /// Reads a duration: numbers, each with a unit, the largest unit first and none twice. `nil` for anything else, zero
  /// included.
  public static func parse(_ text: String) -> Duration? {
    var left = units[...]
    var seconds: Int64 = 0
    var rest = text[...]
    while !rest.isEmpty {
      let digits = rest.prefix { ("0"..."9").contains($0) }
      rest = rest.dropFirst(digits.count)
      guard let number = Int64(digits), let suffix = rest.popFirst(),
        let index = left.firstIndex(where: { $0.suffix == suffix })
      else { return nil }
      let (part, overflow) = number.multipliedReportingOverflow(by: left[index].seconds)
      let (sum, tooMuch) = seconds.addingReportingOverflow(part)
      guard !overflow, !tooMuch else { return nil }
      seconds = sum
      left = left[(index + 1)...]
    }
    // A week is longer than anybody waits for a pod, and far from what a clock can count.
    return (1...(7 * 24 * 3600)).contains(seconds) ? .seconds(seconds) : nil
  }
}
