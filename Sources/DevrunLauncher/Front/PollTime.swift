extension ContinuousClock.Instant {
  /// The time from now to this instant as poll(2) takes it: in milliseconds, rounded up; 0 if it has passed.
  var millisecondsFromNow: Int64 {
    let left = max(.zero, self - .now).components
    return left.seconds * 1_000 + (left.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}
