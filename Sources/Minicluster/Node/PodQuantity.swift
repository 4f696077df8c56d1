// Amounts of resources (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/), as far as
// environment variables and downward API files quote them.

internal import DevrunCore

/// An amount of a resource, in billionths.
struct PodQuantity: Sendable, Hashable {
  private static let suffixes: [(String, Double)] = [
    ("Ki", 0x1p10), ("Mi", 0x1p20), ("Gi", 0x1p30), ("Ti", 0x1p40), ("Pi", 0x1p50), ("Ei", 0x1p60),
    ("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18),
  ]

  /// The number of units.
  var value: Double

  /// So many units.
  init(_ value: Double) { self.value = value }

  /// An amount of the API, which is a string or, in YAML as people write it, a number. `nil` if it is none.
  init?(_ json: JSONValue?) {
    switch json {
    case .int(let number): value = Double(number)
    case .double(let number): value = number
    case .string(let text):
      let suffix = Self.suffixes.first { text.hasSuffix($0.0) }
      guard let number = Double(text.dropLast(suffix?.0.count ?? 0)), number.isFinite else { return nil }
      value = number * (suffix?.1 ?? 1)
    default: return nil
    }
  }

  /// How many times the divisor fits in the amount, rounded up. A divisor of 0 counts as 1.
  func divided(by divisor: PodQuantity) -> Int {
    let divisor = divisor.value == 0 ? 1 : divisor.value
    // Thousandths are exact enough for processors, and keep 0.1 / 0.001 at 100.
    let quotient = (value / divisor * 1000).rounded() / 1000
    return Int(exactly: quotient.rounded(.up)) ?? .max
  }
}

/// What the node has to give.
struct NodeCapacity: Sendable, Hashable {
  /// The number of processors.
  var cpu: Int
  /// The bytes of memory.
  var memory: Int
  /// The bytes of disk.
  var ephemeralStorage: Int

  /// The amount of a resource; zero for one that the node does not have.
  func amount(of resource: String) -> PodQuantity {
    switch resource {
    case "cpu": PodQuantity(Double(cpu))
    case "memory": PodQuantity(Double(memory))
    case "ephemeral-storage": PodQuantity(Double(ephemeralStorage))
    default: PodQuantity(0)
    }
  }
}
