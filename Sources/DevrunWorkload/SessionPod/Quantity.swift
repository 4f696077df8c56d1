internal import DevrunCore

/// An amount of a resource (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/) as it was
/// written, with its value for comparison.
struct Quantity: Sendable, Comparable {
  private static let suffixes: [(String, Double)] = [
    ("Ki", 0x1p10), ("Mi", 0x1p20), ("Gi", 0x1p30), ("Ti", 0x1p40), ("Pi", 0x1p50), ("Ei", 0x1p60),
    ("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18),
  ]

  /// The text.
  let text: String
  /// The number.
  let value: Double

  /// An amount; `nil` if the text is none.
  init?(_ text: String) {
    let suffix = Self.suffixes.first { text.hasSuffix($0.0) }
    guard let number = Double(text.dropLast(suffix?.0.count ?? 0)), number.isFinite else { return nil }
    self.text = text
    value = number * (suffix?.1 ?? 1)
  }

  /// An amount of the API, which is a string or, in YAML as people write it, a number.
  init?(_ json: JSONValue?) {
    switch json {
    case .string(let text): self.init(text)
    case .int(let number): self.init("\(number)")
    case .double(let number): self.init("\(number)")
    default: return nil
    }
  }

  /// So many units, in thousandths where there is a fraction, rounded up.
  init(value: Double) {
    let isWhole = value == value.rounded()
    text = isWhole ? "\(Int64(value))" : "\(Int64((value * 1000).rounded(.up)))m"
    self.value = value
  }

  static func < (left: Quantity, right: Quantity) -> Bool { left.value < right.value }
  static func == (left: Quantity, right: Quantity) -> Bool { left.value == right.value }
}
