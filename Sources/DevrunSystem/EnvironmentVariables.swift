public import DevrunCore
internal import Glibc

/// The environment of a process: variables in order, to the byte, each with the place that its value comes from.
///
/// A name stands once. As in getenv(3), the first of several entries of one name counts.
public struct EnvironmentVariables: Sendable, Hashable {
  /// Where the value of a variable comes from.
  public enum Origin: String, Sendable, Hashable, Codable, CaseIterable {
    /// The shell that devrun was started from.
    case shell
    /// The container.
    case container
    /// `azds-local.env`, or another file of that kind.
    case file
    /// The command line, or `devrun.yaml`.
    case option
  }

  /// One variable.
  public struct Variable: Sendable, Hashable, Codable {
    /// The name: not empty, and without `=` but as its first byte.
    public var name: RawString
    /// The value.
    public var value: RawString
    /// Where the value comes from.
    public var origin: Origin

    /// A variable of the three.
    public init(name: RawString, value: RawString, origin: Origin = .shell) {
      self.name = name
      self.value = value
      self.origin = origin
    }

    /// Splits `NAME=VALUE` at its first `=` that is not its first byte. `nil` for what has none.
    public init?(entry: RawString, origin: Origin = .shell) {
      guard let equals = entry.bytes.dropFirst().firstIndex(of: UInt8(ascii: "=")) else { return nil }
      self.init(
        name: RawString(entry.bytes[..<equals]), value: RawString(entry.bytes[(equals + 1)...]), origin: origin)
    }

    /// `NAME=VALUE`, as execve(2) takes it.
    public var entry: RawString { RawString(name.bytes + [UInt8(ascii: "=")] + value.bytes) }
  }

  private var variables: [Variable] = []
  private var positions: [RawString: Int] = [:]

  /// The given variables.
  public init(_ variables: some Sequence<Variable> = []) {
    for variable in variables where positions[variable.name] == nil { set(variable) }
  }

  /// The variables of a list of `NAME=VALUE`, as environ(7) has it. Entries without a name or a `=` are left out.
  public init(entries: some Sequence<RawString>, origin: Origin = .shell) {
    self.init(entries.lazy.compactMap { Variable(entry: $0, origin: origin) })
  }

  /// This process's variables.
  public static var current: EnvironmentVariables {
    var entries: [RawString] = []
    var next = environ
    while let entry = next.pointee {
      entries.append(RawString(cString: entry))
      next += 1
    }
    return EnvironmentVariables(entries: entries)
  }

  /// The value of a variable; `nil` if there is none of that name.
  public subscript(name: RawString) -> RawString? { positions[name].map { variables[$0].value } }

  /// The variable of a name.
  public func variable(named name: RawString) -> Variable? { positions[name].map { variables[$0] } }

  /// Sets a variable: one that exists keeps its position, a new one is appended.
  public mutating func set(_ variable: Variable) {
    if let position = positions[variable.name] {
      variables[position] = variable
    } else {
      positions[variable.name] = variables.count
      variables.append(variable)
    }
  }

  /// Sets a variable by its parts.
  public mutating func set(_ name: RawString, to value: RawString, from origin: Origin) {
    set(Variable(name: name, value: value, origin: origin))
  }

  /// The list that execve(2) takes: `NAME=VALUE`, in order.
  public var entries: [RawString] { variables.map(\.entry) }

  /// The same variables in the order of their names.
  public func sorted() -> EnvironmentVariables { EnvironmentVariables(variables.sorted { $0.name < $1.name }) }
}

extension EnvironmentVariables: RandomAccessCollection {
  /// The position of the first variable.
  public var startIndex: Int { 0 }
  /// The position after the last variable.
  public var endIndex: Int { variables.count }
  /// The variable at a position.
  public subscript(position: Int) -> Variable { variables[position] }
}

extension EnvironmentVariables: Codable {
  /// Reads an array of variables.
  public init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode([Variable].self))
  }

  /// Writes an array of variables.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(variables)
  }
}

extension EnvironmentVariables: ExpressibleByDictionaryLiteral {
  /// The variables of a literal, with this process's shell as their origin.
  public init(dictionaryLiteral elements: (RawString, RawString)...) {
    self.init(elements.map { Variable(name: $0, value: $1) })
  }
}
