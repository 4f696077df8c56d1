// Times as the API and the logs of containers have them (RFC 3339, in UTC).

internal import Foundation
internal import Glibc

/// A moment of the wall clock.
struct WallTime: Sendable, Hashable, Comparable {
  /// Seconds since 1970 and the nanoseconds beyond them.
  var seconds: Int
  var nanoseconds: Int

  /// A moment of the given parts.
  init(seconds: Int, nanoseconds: Int = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  /// The present.
  static var now: WallTime {
    let time = Date().timeIntervalSince1970
    let seconds = time.rounded(.down)
    return WallTime(seconds: Int(seconds), nanoseconds: Int((time - seconds) * 1e9))
  }

  /// The form that objects have: whole seconds (`meta/v1` Time).
  var text: String { "\(beforeFraction)Z" }

  /// The form that logs have, with nanoseconds.
  var preciseText: String { "\(beforeFraction).\(Self.padded(nanoseconds, to: 9))Z" }

  private var beforeFraction: String {
    let (year, month, day, hour, minute, second) = fields
    let date = "\(Self.padded(year, to: 4))-\(Self.padded(month, to: 2))-\(Self.padded(day, to: 2))"
    return "\(date)T\(Self.padded(hour, to: 2)):\(Self.padded(minute, to: 2)):\(Self.padded(second, to: 2))"
  }

  /// The form in the names of a volume's folders: `2026_11_26_15_48_02.2970086629`.
  var folderText: String {
    let (year, month, day, hour, minute, second) = fields
    let parts = [month, day, hour, minute, second].map { Self.padded($0, to: 2) }
    return "\(Self.padded(year, to: 4))_\(parts.joined(separator: "_"))"
  }

  private var fields: (Int, Int, Int, Int, Int, Int) {
    var seconds: time_t = self.seconds
    var fields = tm()
    gmtime_r(&seconds, &fields)
    return (
      Int(fields.tm_year) + 1900, Int(fields.tm_mon) + 1, Int(fields.tm_mday), Int(fields.tm_hour), Int(fields.tm_min),
      Int(fields.tm_sec)
    )
  }

  private static func padded(_ number: Int, to width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  static func < (left: WallTime, right: WallTime) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }

  /// The time from this moment to a later one.
  func distance(to other: WallTime) -> Duration {
    .seconds(other.seconds - seconds) + .nanoseconds(other.nanoseconds - nanoseconds)
  }
}

extension Duration {
  /// The duration in whole seconds as kubelet prints it: `10s`, `1m20s`, `5m0s`.
  var goText: String {
    let (minutes, seconds) = Int(components.seconds).quotientAndRemainder(dividingBy: 60)
    return minutes == 0 ? "\(seconds)s" : "\(minutes)m\(seconds)s"
  }
}
