/// The forms of Kubernetes' names (RFC 1123, as `k8s.io/apimachinery/pkg/util/validation` reads it).
package enum DNSName {
  /// Whether the text is a label: 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end.
  package static func isLabel(_ text: some StringProtocol) -> Bool {
    guard (1...63).contains(text.utf8.count), text.first != "-", text.last != "-" else { return false }
    return text.utf8.allSatisfy(isLabelLetter)
  }

  /// Whether the text is a name of an object: labels with dots between, at most 253 letters in all. Here a label may be
  /// longer than 63 letters.
  package static func isSubdomain(_ text: some StringProtocol) -> Bool {
    text.utf8.count <= 253
      && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
        !part.isEmpty && part.first != "-" && part.last != "-" && part.utf8.allSatisfy(isLabelLetter)
      }
  }

  /// Whether the letter may stand in a label.
  package static func isLabelLetter(_ letter: UInt8) -> Bool {
    switch letter {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
    default: false
    }
  }
}
