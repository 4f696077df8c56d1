extension StringProtocol {
  /// The text with what a terminal would act on made visible (control characters, but for line feeds and tabs): `\u{1b}`.
  ///
  /// Text of the cluster and of other people's records goes to terminals and logs in this form only.
  public var printable: String {
    guard unicodeScalars.contains(where: Self.isControl) else { return String(self) }
    return unicodeScalars.reduce(into: "") { result, scalar in
      result += Self.isControl(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
  }

  /// The C0 and C1 sets and DEL (ECMA-48), and the characters by which text changes its direction.
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0a: false
    case 0x00...0x1f, 0x7f...0x9f, 0x202a...0x202e, 0x2066...0x2069: true
    default: false
    }
  }
}
