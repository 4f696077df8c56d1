/// Numbers of bytes as people write them: 256Mi, as Kubernetes' quantities have it.
public enum ByteCount {
  private static let units: [(suffix: String, size: Int)] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)]

  /// The number in the largest unit that it fills, with one digit after the point where that is not zero.
  public static func text(_ bytes: Int) -> String {
    guard let unit = units.first(where: { bytes >= $0.size }) else { return "\(bytes) bytes" }
    let tenths = Int((Double(bytes) / Double(unit.size) * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)\(unit.suffix)" : "\(tenths / 10).\(tenths % 10)\(unit.suffix)"
  }

  /// Reads a number of bytes: `1000000`, `256Mi`, `2G` (resource.Quantity of Kubernetes' API, without fractions). `nil` for
  /// anything else, zero included.
  public static func parse(_ text: String) -> Int? {
    let decimal = [("k", 1_000), ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)]
    let all = units.map { ($0.suffix, $0.size) } + decimal
    let unit = all.first { text.hasSuffix($0.0) } ?? ("", 1)
    guard let number = Int(text.dropLast(unit.0.count)), number > 0 else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.1)
    return overflow ? nil : bytes
  }
}
