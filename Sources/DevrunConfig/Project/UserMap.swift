internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Which users exist in this process's user namespace (user_namespaces(7)).
///
/// All others look like one, the overflow user. If root outside of the namespace is none of its users, most folders of
/// the machine seem to belong to the overflow user, `/` and `/home` first of all.
struct UserMap: Sendable {
  private struct Range {
    var inside: UInt64
    var outside: UInt64
    var count: UInt64
  }

  private var ranges: [Range]
  /// The number that all users have that do not exist here.
  private var overflow: uid_t

  /// The map of a text as the kernel writes it to `/proc/self/uid_map`: lines of three numbers.
  init(_ text: String, overflow: uid_t = 65534) {
    self.overflow = overflow
    ranges = text.split(separator: "\n").compactMap { line in
      let numbers = line.split(separator: " ").compactMap { UInt64($0) }
      return numbers.count == 3 ? Range(inside: numbers[0], outside: numbers[1], count: numbers[2]) : nil
    }
  }

  /// The map of this process. If it cannot be read, all users exist.
  static let own: UserMap = {
    let overflow = read("/proc/sys/kernel/overflowuid").flatMap { uid_t($0.prefix { $0 != "\n" }) }
    return UserMap(read("/proc/self/uid_map") ?? "0 0 \(UInt32.max)", overflow: overflow ?? 65534)
  }()

  private static func read(_ path: String) -> String? {
    (try? Descriptor.open(RawString(path), O_RDONLY).readToEnd()).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether each file belongs to whom it seems to belong to.
  private var isComplete: Bool { ranges.reduce(0) { $0 + $1.count } >= UInt64(UInt32.max) }

  /// Whether a user exists here.
  func has(_ user: uid_t) -> Bool {
    isComplete || ranges.contains { UInt64(user) >= $0.inside && UInt64(user) - $0.inside < $0.count }
  }

  /// The user that stands for root of the outside, and for others; `nil` if root is a user of the namespace.
  ///
  /// - Parameter ownerOfRoot: the owner of `/`. In a namespace in a namespace, the outside may have no root either.
  func substituteOfRoot(ownerOfRoot: uid_t) -> uid_t? {
    if isComplete { return nil }
    return !ranges.contains { $0.outside == 0 } || ownerOfRoot == overflow ? overflow : nil
  }
}
