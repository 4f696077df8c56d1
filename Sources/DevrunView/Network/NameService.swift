internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// What, beside `/etc/hosts`, decides here what a name means, and how the child is kept from it.
///
/// Where nscd(8) runs, glibc asks its socket first, so that is hidden. Where nsswitch.conf(5) puts another source
/// before `files` (systemd-resolved's `resolve` answers from the machine's own hosts file), the child gets a
/// configuration with `files` first.
package struct NameService {
  /// The child's own nsswitch.conf; `nil` where the machine's will do.
  package let switchFile: String?
  /// What the child must not see.
  package let hiddenPaths: [String]

  /// Looks at this machine, and writes into the session's folder what is needed.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  package init(directory: SessionDirectory) throws {
    switchFile = try Self.filesFirst(Self.read("/etc/nsswitch.conf")).map { try directory.write("nsswitch.conf", $0) }
    // Also where it does not run yet.
    hiddenPaths = ["/run/nscd"]
  }

  /// The text of an nsswitch.conf in which hosts are looked up in `files` first; `nil` where they are already.
  static func filesFirst(_ text: String) -> String? {
    var changed = false
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
      let content = line.prefix { $0 != "#" }
      guard let colon = content.firstIndex(of: ":"),
        content[..<colon].trimmingPrefix(while: \.isWhitespace) == "hosts"
      else { return String(line) }
      let sources = content[content.index(after: colon)...].split(whereSeparator: \.isWhitespace).map(String.init)
      guard sources.first != "files" else { return String(line) }
      changed = true
      return "hosts: " + (["files"] + sources.filter { $0 != "files" }).joined(separator: " ")
    }
    return changed ? lines.joined(separator: "\n") : nil
  }

  /// A small file of the system; empty where it cannot be read, which is what glibc takes it for too.
  package static func read(_ path: String) -> String {
    let bytes = try? Descriptor.open(RawString(path), O_RDONLY).readToEnd()
    return String(decoding: bytes ?? [], as: UTF8.self)
  }
}
