import DevrunCore

/// The fields of a message that are read, each with the name and the type that it has in Kubernetes' JSON.
struct ProtobufSchema: Sendable {
  /// What a field holds.
  enum Kind: Sendable {
    case string
    case integer
    case boolean
    /// `map<string, string>`
    case stringMap
    /// `util/intstr` IntOrString
    case integerOrString
    case message(ProtobufSchema)
  }

  /// One field.
  struct Field: Sendable {
    var name: String
    var kind: Kind
    var isRepeated = false

    /// A field that occurs once.
    static func one(_ name: String, _ kind: Kind) -> Field { Field(name: name, kind: kind) }
    /// A field that becomes an array.
    static func many(_ name: String, _ kind: Kind) -> Field { Field(name: name, kind: kind, isRepeated: true) }
  }

  /// The fields, by their numbers. All others are skipped.
  var fields: [Int: Field]

  /// Reads the message that is in a range of the bytes.
  ///
  /// Kubernetes writes empty strings and zeros that its JSON leaves out; they are left out here, too.
  func json(_ bytes: [UInt8], _ range: Range<Int>) throws(ProtobufError) -> JSONValue {
    var members: [String: JSONValue] = [:]
    // Apart, so that each value is appended in place.
    var lists: [Int: [JSONValue]] = [:]
    var maps: [Int: [String: JSONValue]] = [:]
    var reader = ProtobufReader(bytes, in: range)
    while let (number, value) = try reader.next() {
      guard let field = fields[number] else { continue }
      if case .stringMap = field.kind {
        let (key, text) = try Self.entry(value, bytes)
        maps[number, default: [:]][key] = .string(text)
      } else if field.isRepeated {
        lists[number, default: []].append(try Self.json(value, field.kind, bytes))
      } else {
        switch try Self.json(value, field.kind, bytes) {
        case .string(""), .int(0): break
        case let json: members[field.name] = json
        }
      }
    }
    for (number, list) in lists { if let field = fields[number] { members[field.name] = .array(list) } }
    for (number, map) in maps { if let field = fields[number] { members[field.name] = .object(map) } }
    return .object(members)
  }

  private static func json(
    _ value: ProtobufReader.Value, _ kind: Kind, _ bytes: [UInt8]
  ) throws(ProtobufError) -> JSONValue {
    switch (kind, value) {
    case (.string, .bytes(let range)): .string(String(decoding: bytes[range], as: UTF8.self))
    case (.integer, .number(let number)): .int(Int64(bitPattern: number))
    case (.boolean, .number(let number)): .bool(number != 0)
    case (.integerOrString, .bytes(let range)): try integerOrString(bytes, range)
    case (.message(let schema), .bytes(let range)): try schema.json(bytes, range)
    default: throw .malformed
    }
  }

  private static let mapEntry = ProtobufSchema(fields: [1: .one("key", .string), 2: .one("value", .string)])

  private static func entry(
    _ value: ProtobufReader.Value, _ bytes: [UInt8]
  ) throws(ProtobufError) -> (key: String, value: String) {
    guard case .bytes(let range) = value else { throw .malformed }
    let entry = try mapEntry.json(bytes, range)
    return (entry["key"]?.string ?? "", entry["value"]?.string ?? "")
  }

  private static let choice = ProtobufSchema(
    fields: [1: .one("type", .integer), 2: .one("intVal", .integer), 3: .one("strVal", .string)])

  private static func integerOrString(_ bytes: [UInt8], _ range: Range<Int>) throws(ProtobufError) -> JSONValue {
    let value = try choice.json(bytes, range)
    return value["type"] == 1 ? value["strVal"] ?? "" : value["intVal"] ?? 0
  }
}
