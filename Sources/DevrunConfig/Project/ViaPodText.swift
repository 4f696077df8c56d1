internal import DevrunCore
public import DevrunSystem

/// A `ViaPodRule` as the user wrote it: `${env.NAME}` and `${env.NAME:-TEXT}` in it stand for variables, the container's
/// or else this shell's, whose values are known once the session pod runs.
public struct ViaPodText: Sendable, Hashable, CustomStringConvertible {
  private enum Part: Sendable, Hashable {
    case literal(String)
    case variable(LocalEnvFile.VariableReference)
  }

  /// The text as it is written.
  public let description: String
  private let parts: [Part]

  /// Reads a text. What can be wrong without the variables' values is found now.
  ///
  /// - Throws: `ViaPodError`
  public init(parsing text: String) throws(ViaPodError) {
    var parts: [Part] = []
    var rest = text[...]
    while let opening = rest.firstRange(of: "${") {
      if opening.lowerBound > rest.startIndex { parts.append(.literal(String(rest[..<opening.lowerBound]))) }
      rest = rest[opening.upperBound...]
      guard let closing = rest.firstIndex(of: "}") else { throw .invalidToken(text, token: "${\(rest)") }
      parts.append(.variable(try Self.variable(String(rest[..<closing]), of: text)))
      rest = rest[rest.index(after: closing)...]
    }
    if !rest.isEmpty || parts.isEmpty { parts.append(.literal(String(rest))) }
    self.description = text
    self.parts = parts
    if !parts.contains(where: { if case .variable = $0 { true } else { false } }) { _ = try ViaPodRule(parsing: text) }
  }

  private static func variable(
    _ token: String, of text: String
  ) throws(ViaPodError) -> LocalEnvFile.VariableReference {
    do throws(LocalEnvError.Reason) {
      let segment = try LocalEnvToken.parse(token, at: TextPosition(source: text, mark: nil))
      guard case .variable(let reference) = segment else { throw .invalidVariable(token) }
      return reference
    } catch {
      throw .invalidToken(text, token: "${\(token)}")
    }
  }

  /// The rule that the text means with the values of the variables.
  ///
  /// - Throws: `ViaPodError`
  public func rule(_ variables: EnvironmentVariables) throws(ViaPodError) -> ViaPodRule {
    var text = ""
    var hasVariables = false
    for part in parts {
      switch part {
      case .literal(let literal): text += literal
      case .variable(let reference):
        hasVariables = true
        text += try value(of: reference, variables).description
      }
    }
    do throws(ViaPodError) {
      return try ViaPodRule(parsing: text)
    } catch {
      guard hasVariables else { throw error }
      throw .expanded(description, what: error.message.what, remedy: error.message.remedy)
    }
  }

  private func value(
    of reference: LocalEnvFile.VariableReference, _ variables: EnvironmentVariables
  ) throws(ViaPodError) -> RawString {
    let value = variables[reference.name]
    if let value, !value.bytes.isEmpty { return value }
    guard let found = reference.fallback ?? value else {
      let name = reference.name.description
      throw .unknownVariable(
        description, name: name, nearest: nearest(to: name, in: variables.map(\.name.description).sorted()))
    }
    return found
  }
}
