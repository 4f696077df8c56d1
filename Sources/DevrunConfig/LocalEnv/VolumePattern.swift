/// The name of a volume as `azds-local.env` gives it, in which `*` matches any run of characters, none included.
public struct VolumePattern: Sendable, Hashable, CustomStringConvertible {
  /// The pattern as written.
  public var text: String

  /// A pattern of the given text.
  public init(_ text: String) { self.text = text }

  /// The pattern as written.
  public var description: String { text }

  /// The volume that the pattern stands for: the one of exactly that name, else the first that it matches in the given
  /// order, which is the container's.
  ///
  /// `default-token-*` was the service account's volume before Kubernetes 1.24. Where it matches nothing, it stands for
  /// today's, the first `kube-api-access-*`.
  public func match(in volumes: [String]) -> String? {
    if volumes.contains(text) { return text }
    if let first = volumes.first(where: matches) { return first }
    return text == "default-token-*" ? VolumePattern("kube-api-access-*").match(in: volumes) : nil
  }

  /// Whether the pattern matches the whole name.
  public func matches(_ name: String) -> Bool { matches(Array(name.utf8)) }

  /// Whether the pattern matches the whole name, given as bytes.
  func matches(_ name: [UInt8]) -> Bool {
    let pattern = Array(text.utf8)
    var position = 0
    var index = 0
    // Where to go on when a letter does not fit: behind the last star, which then swallows one letter more.
    var retry: (pattern: Int, name: Int)?
    while index < name.count {
      if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
        position += 1
        retry = (position, index)
      } else if position < pattern.count, pattern[position] == name[index] {
        position += 1
        index += 1
      } else if let last = retry {
        position = last.pattern
        index = last.name + 1
        retry = (position, index)
      } else {
        return false
      }
    }
    return pattern[position...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
