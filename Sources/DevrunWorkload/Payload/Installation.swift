internal import Foundation

/// What belongs to devrun's own binary, and lies beside it.
package enum Installation {
  /// Where it is looked for, seen from the binary: `../libexec/devrun` of an installation, `../payload` of a build.
  static let folders: [String] = {
    let binary = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let prefix = binary.deletingLastPathComponent()
    return ["libexec/devrun", "payload"].map { prefix.appending(path: $0).path }
  }()

  /// The path of a file of it; `nil` if it is not installed.
  package static func path(of name: String) -> String? {
    folders.map { "\($0)/\(name)" }.first { FileManager.default.fileExists(atPath: $0) }
  }
}
