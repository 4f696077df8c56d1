import DevrunCore
import DevrunSystem

/// What a program is given at its start: arguments and environment, which the kernel limits together (execve(2), "Limits
/// on size of arguments and environment").
public struct ArgumentBlock: Sendable, Hashable {
  /// What all of it takes, in bytes.
  public var bytes: Int
  /// The largest parts, the largest first: each with what it is and the bytes that it takes. Variables by their names,
  /// since values may be secret.
  public var largest: [Part]

  /// One argument or variable.
  public struct Part: Sendable, Hashable, CustomStringConvertible {
    /// `argument 3`, or the name of a variable.
    public var name: String
    /// What it takes, its end included.
    public var bytes: Int

    /// The name with the size.
    public var description: String { "\(name) (\(ByteCount.text(bytes)))" }
  }

  /// How many of the largest parts are told.
  static let told = 3

  init(arguments: [RawString], environment: EnvironmentVariables) {
    let parts =
      arguments.enumerated().map { Part(name: "argument \($0.offset)", bytes: $0.element.bytes.count + 1) }
      + environment.map { variable in
        // With the equals sign and the final NUL.
        Part(name: variable.name.description, bytes: variable.name.bytes.count + variable.value.bytes.count + 2)
      }
    bytes = parts.reduce(0) { $0 + $1.bytes }
    largest = Array(parts.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }.prefix(Self.told))
  }
}
