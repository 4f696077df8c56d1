internal import Foundation

/// Names that the store gives.
enum ObjectNames {
  /// What the API server makes names of: no vowels, so that no words come out, and nothing that looks like another.
  private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")

  /// A name that begins with a prefix (`generateName`).
  static func name(prefix: String) -> String {
    // Names have at most 63 characters; the prefix gives way.
    prefix.prefix(58) + String((0..<5).compactMap { _ in alphabet.randomElement() })
  }

  /// A new uid.
  static func uid() -> String { UUID().uuidString.lowercased() }
}
