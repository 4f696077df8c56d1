public import DevrunCore
internal import DevrunYAML

extension ExecCredentialPlugin {
  /// The value of what a plugin prints: JSON, or YAML, as kubectl takes it.
  ///
  /// - Throws: an error without a word of the output, which may hold a token.
  public static func value(of output: [UInt8]) throws(ErrorOfOutput) -> JSONValue {
    do {
      return try JSONValue(text: output)
    } catch {
      guard let document = try? YAML.firstDocument(of: output, source: "output"),
        case .mapping = document.root.content
      else { throw ErrorOfOutput() }
      return document.root.json
    }
  }

  /// A plugin's output is neither JSON nor YAML.
  public struct ErrorOfOutput: Error {}
}
