/// The names of labels and annotations, and the values of labels
/// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set).
enum QualifiedName {
  /// Why a text is no name of a label, in the words of the API server; `nil` if it is one.
  static func problem(with text: String) -> String? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2 else {
      return
        "a qualified name \(nameWords) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
    }
    if parts.count == 2 {
      guard !parts[0].isEmpty else { return "prefix part must be non-empty" }
      if let problem = NameRule.subdomain.problem(with: String(parts[0])) { return "prefix part \(problem)" }
    }
    let name = parts[parts.count - 1]
    guard !name.isEmpty else { return "name part must be non-empty" }
    guard name.utf8.count <= 63 else { return "name part must be no more than 63 characters" }
    return isName(name) ? nil : "name part \(nameWords)"
  }

  /// Why a text is no value of a label; `nil` if it is one.
  static func problem(withValue text: String) -> String? {
    guard text.utf8.count <= 63 else { return "must be no more than 63 characters" }
    guard text.isEmpty || isName(text[...]) else { return valueWords }
    return nil
  }

  private static func isName(_ text: Substring) -> Bool {
    text.wholeMatch(of: #/([A-Za-z0-9][A-Za-z0-9_.\-]*)?[A-Za-z0-9]/#) != nil
  }

  private static let nameWords = """
    must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character \
    (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
    """

  private static let valueWords = """
    a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
    with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
    """
}
