/// A JSON document as data: what devrun reads of an object of the API, changes in one place and hands back whole.
public enum JSONValue: Sendable, Hashable {
  /// `null`
  case null
  /// `true` or `false`
  case bool(Bool)
  /// A number without a fraction.
  case int(Int64)
  /// Any other number.
  case double(Double)
  /// A string.
  case string(String)
  /// An array.
  case array([JSONValue])
  /// An object; the order of its members is not kept.
  case object([String: JSONValue])
}

extension JSONValue {
  /// The member of an object. `nil` where this is no object or has no such member; setting `nil` removes it.
  /// Setting a member of a null makes an object of it.
  public subscript(name: String) -> JSONValue? {
    get {
      guard case .object(let members) = self else { return nil }
      return members[name]
    }
    set {
      switch self {
      case .object(var members):
        members[name] = newValue
        self = .object(members)
      case .null where newValue != nil:
        self = .object([name: newValue!])
      default:
        break
      }
    }
  }

  /// The value at a path of member names. `nil` where the path ends early.
  public subscript(path first: String, _ rest: String...) -> JSONValue? {
    var value = self[first]
    for name in rest { value = value?[name] }
    return value
  }

  /// The text, if this is a string.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The number, if this is a whole one.
  public var int: Int? { if case .int(let value) = self { Int(value) } else { nil } }
  /// The truth value, if this is one.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The elements, if this is an array.
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  /// The members, if this is an object.
  public var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }
  /// The members that are strings, if this is an object (labels, annotations).
  public var stringMap: [String: String]? { object?.compactMapValues(\.string) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A whole number.
  public init(integerLiteral value: Int64) { self = .int(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
  }
  /// `null`
  public init(nilLiteral: ()) { self = .null }
}
