internal import Foundation

/// Base64 (RFC 4648 section 4) as a kubeconfig holds it.
enum Base64 {
  /// The bytes of a text; `nil` if the text is no base64. Padding is required, white space is skipped.
  static func decode(_ text: String) -> [UInt8]? {
    let letters = text.utf8.filter { !" \t\n\r".utf8.contains($0) }
    // Foundation takes padding in the middle as well, and more of it than there may be.
    let padding = letters.drop { $0 != UInt8(ascii: "=") }
    guard letters.count.isMultiple(of: 4), padding.count <= 2, padding.allSatisfy({ $0 == UInt8(ascii: "=") }) else {
      return nil
    }
    return Data(base64Encoded: Data(letters)).map { Array($0) }
  }
}
