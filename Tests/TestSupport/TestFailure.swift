/// A test's own failure: something that the test needs did not happen.
public struct TestFailure: Error, CustomStringConvertible {
  /// What did not happen, and what was seen instead.
  public let description: String

  /// A failure in the given words.
  public init(_ description: String) { self.description = description }
}
