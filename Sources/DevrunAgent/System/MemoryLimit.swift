/// How much memory the container may use, by its control group.
///
/// Version 2 (`memory.max`) and version 1 (`memory.limit_in_bytes`) of Linux's control groups are known; the files are
/// looked for where the process's own group is (/proc/self/cgroup), then at the root, where a container with its own
/// cgroup namespace sees its group.
package struct MemoryLimit: Sendable {
  /// What is assumed where nothing can be read: little enough for most limits that are set.
  package static let assumed = 64 << 20
  /// What is used at most where there is no limit: the node's memory belongs to others too.
  package static let greatest = 512 << 20

  /// The limit in bytes, never above `greatest`.
  ///
  /// - Parameter read: gives a file's text, `nil` if it cannot be read.
  package static func bytes(read: (String) -> String?) -> Int {
    var found = false
    for path in candidates(groups: read("/proc/self/cgroup") ?? "") {
      guard let text = read(path) else { continue }
      found = true
      let word = text.prefix { !$0.isWhitespace }
      // A version 1 group without a limit shows a number near 2^63; "max" is version 2's word for it.
      if let limit = Int(word), limit > 0, limit < greatest { return limit }
      if word == "max" || Int(word) != nil { return greatest }
    }
    return found ? greatest : assumed
  }

  private static func candidates(groups: String) -> [String] {
    var version1: [String] = []
    var version2: [String] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let path = fields[2] == "/" ? "" : String(fields[2])
      if fields[1].split(separator: ",").contains("memory") {
        version1.append("/sys/fs/cgroup/memory\(path)/memory.limit_in_bytes")
      } else if fields[0] == "0", fields[1].isEmpty {
        version2.append("/sys/fs/cgroup\(path)/memory.max")
      }
    }
    return version2 + version1 + ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
  }
}
