/// What names must look like
/// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names).
enum NameRule {
  /// Labels of RFC 1123, joined by dots.
  case subdomain
  /// One label of RFC 1123.
  case label
  /// One label of RFC 1035: it begins with a letter.
  case strictLabel

  /// The rule for the names of a kind.
  static func of(_ kind: ObjectKind) -> NameRule {
    switch kind {
    case .namespace: .label
    case .service: .strictLabel
    default: .subdomain
    }
  }

  /// Why a name breaks the rule, in the words of the API server; `nil` if it does not.
  func problem(with name: String) -> String? {
    let limit = self == .subdomain ? 253 : 63
    guard name.utf8.count <= limit else { return "must be no more than \(limit) characters" }
    return isMatched(by: name) ? nil : words
  }

  private func isMatched(by name: String) -> Bool {
    let parts = self == .subdomain ? name.split(separator: ".", omittingEmptySubsequences: false) : [name[...]]
    return parts.allSatisfy { part in
      guard let first = part.utf8.first, let last = part.utf8.last else { return false }
      let isLetter = { (byte: UInt8) in (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
      let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
      return (isLetter(first) || self != .strictLabel && isDigit(first)) && (isLetter(last) || isDigit(last))
        && part.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
    }
  }

  private var words: String {
    switch self {
    case .subdomain:
      """
      a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and \
      end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
      '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
      """
    case .label:
      """
      a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with \
      an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
      '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
      """
    case .strictLabel:
      """
      a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, \
      and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
      '[a-z]([-a-z0-9]*[a-z0-9])?')
      """
    }
  }
}
