package import DevrunCore
internal import DevrunKube

/// A JSON patch (RFC 6902), as the API server applies it: whole or not at all.
package struct JSONPatchDocument: Sendable, Hashable {
  private enum Verb: String { case add, remove, replace, test, move, copy }

  private struct Operation: Sendable, Hashable {
    var verb: Verb
    var path: JSONPointer
    /// Where `move` and `copy` take the value from.
    var from: JSONPointer?
    var value: JSONValue?
  }

  private var operations: [Operation] = []

  /// The patch of a request's body.
  ///
  /// - Throws: 400 if it is no list of operations, 422 if one of them is none.
  package init(_ json: JSONValue) throws(APIFailure) {
    guard let elements = json.array else {
      throw .badRequest("json: cannot unmarshal \(json.goKind) into Go value of type jsonpatch.Patch")
    }
    for element in elements { operations.append(try Self.operation(element)) }
  }

  /// Applies all operations to a value.
  ///
  /// - Throws: 422 if one of them does not fit; then the value is as before.
  package func apply(to value: inout JSONValue) throws(APIFailure) {
    var patched = value
    for operation in operations { try Self.apply(operation, to: &patched) }
    value = patched
  }

  /// What the server answers if an operation does not fit. It keeps to itself which one.
  private static let refusal = APIFailure(
    APIStatus(code: 422, reason: "Invalid", message: "the server rejected our request due to an error in our request"))

  private static func operation(_ json: JSONValue) throws(APIFailure) -> Operation {
    guard let verb = json["op"]?.string.flatMap(Verb.init), let path = pointer(json["path"]) else { throw refusal }
    let operation = Operation(verb: verb, path: path, from: pointer(json["from"]), value: json["value"])
    switch verb {
    case .remove: break
    case .move, .copy: guard operation.from != nil else { throw refusal }
    case .add, .replace, .test: guard operation.value != nil else { throw refusal }
    }
    return operation
  }

  private static func pointer(_ json: JSONValue?) -> JSONPointer? {
    guard let text = json?.string else { return nil }
    guard !text.isEmpty else { return JSONPointer([]) }
    guard text.hasPrefix("/") else { return nil }
    return JSONPointer(
      text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
        String($0).replacing("~1", with: "/").replacing("~0", with: "~")
      })
  }

  private static func apply(_ operation: Operation, to document: inout JSONValue) throws(APIFailure) {
    let path = operation.path.tokens[...]
    switch operation.verb {
    case .test:
      // What is absent is equal to null.
      guard (value(at: path, in: document) ?? .null) == operation.value else { throw refusal }
    case .add: try change(&document, at: path, .add, operation.value)
    case .replace: try change(&document, at: path, .replace, operation.value)
    case .remove: try change(&document, at: path, .remove, nil)
    case .copy, .move:
      guard let from = operation.from?.tokens[...], let moved = value(at: from, in: document) else { throw refusal }
      if operation.verb == .move { try change(&document, at: from, .remove, nil) }
      try change(&document, at: path, .add, moved)
    }
  }

  private static func value(at path: ArraySlice<String>, in document: JSONValue) -> JSONValue? {
    var value = document
    for token in path {
      let next: JSONValue? =
        switch value {
        case .object(let members): members[token]
        case .array(let elements): index(token, below: elements.count).map { elements[$0] }
        default: nil
        }
      guard let next else { return nil }
      value = next
    }
    return value
  }

  /// An index as RFC 6901 writes it: digits without a leading zero.
  private static func index(_ token: String, below count: Int) -> Int? {
    guard token.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let index = Int(token),
      index < count, token == String(index)
    else { return nil }
    return index
  }

  private static func change(
    _ value: inout JSONValue, at path: ArraySlice<String>, _ verb: Verb, _ new: JSONValue?
  ) throws(APIFailure) {
    guard let token = path.first else {
      guard let new else { throw refusal }
      value = new
      return
    }
    let rest = path.dropFirst()
    switch value {
    case .object(var members):
      if rest.isEmpty {
        guard verb == .add || members[token] != nil else { throw refusal }
        members[token] = new
      } else {
        guard var member = members[token] else { throw refusal }
        try change(&member, at: rest, verb, new)
        members[token] = member
      }
      value = .object(members)
    case .array(var elements):
      if rest.isEmpty, verb == .add, let new {
        guard let place = token == "-" ? elements.count : index(token, below: elements.count + 1) else {
          throw refusal
        }
        elements.insert(new, at: place)
      } else {
        guard let place = index(token, below: elements.count) else { throw refusal }
        if !rest.isEmpty {
          try change(&elements[place], at: rest, verb, new)
        } else if let new {
          elements[place] = new
        } else {
          elements.remove(at: place)
        }
      }
      value = .array(elements)
    default: throw refusal
    }
  }
}
