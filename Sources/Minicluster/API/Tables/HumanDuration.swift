internal import FoundationEssentials

/// Times in the short form of kubectl's columns (k8s.io/apimachinery/pkg/util/duration, HumanDuration).
enum HumanDuration {
  /// How long ago a time of the API (RFC 3339) was: `5m12s`; `<unknown>` for what is no time.
  static func since(_ time: String, now: Date = Date()) -> String {
    guard let date = parse(time) else { return "<unknown>" }
    return text(seconds: Int(now.timeIntervalSince(date)))
  }

  /// A time of the API, in whole seconds: what follows them in the text is dropped.
  static func parse(_ time: String) -> Date? {
    let whole = time.prefix { $0 != "." }
    let zone = time[whole.endIndex...].drop { $0 == "." || $0.isWholeNumber }
    return try? Date(String(whole + zone), strategy: .iso8601)
  }

  /// The text of a number of seconds: at most two units, and one once the first is large.
  static func text(seconds: Int) -> String {
    if seconds < -1 { return "<invalid>" }
    if seconds < 0 { return "0s" }
    let minute = 60
    let hour = 60 * minute
    let day = 24 * hour
    let year = 365 * day
    func pair(_ first: Int, _ firstUnit: String, _ second: Int, _ secondUnit: String) -> String {
      second == 0 ? "\(first)\(firstUnit)" : "\(first)\(firstUnit)\(second)\(secondUnit)"
    }
    return switch seconds {
    case ..<(2 * minute): "\(seconds)s"
    case ..<(10 * minute): pair(seconds / minute, "m", seconds % minute, "s")
    case ..<(3 * hour): "\(seconds / minute)m"
    case ..<(8 * hour): pair(seconds / hour, "h", seconds % hour / minute, "m")
    case ..<(2 * day): "\(seconds / hour)h"
    case ..<(8 * day): pair(seconds / day, "d", seconds % day / hour, "h")
    case ..<(2 * year): "\(seconds / day)d"
    case ..<(8 * year): pair(seconds / year, "y", seconds % year / day, "d")
    default: "\(seconds / year)y"
    }
  }
}
