import DevrunAgent
import DevrunArchive
import Synchronization

/// An archive that no honest agent sends.
final class HostileArchive: ArchivePieces {
  private let name: String
  private let pieces = Mutex(0)

  /// The archive of this name. One of another name is empty.
  init(named name: String) { self.name = name }

  func next() -> [UInt8]? {
    pieces.withLock { pieces in
      defer { pieces += 1 }
      // Small enough each, and there is always one more.
      if name == "bomb" { return Self.file("small-\(pieces)", bytes: 32 << 10) }
      return pieces == 0 ? Self.bytes(name) : nil
    }
  }

  private static func bytes(_ name: String) -> [UInt8] {
    let root = entry("./", .directory)
    switch name {
    case "dotdot": return root + file("../escaped") + end
    case "absolute": return root + file("/tmp/escaped") + end
    case "device": return root + changed(entry("null", .file), kind: "3") + end
    case "hardlink": return root + changed(entry("passwd", .file, link: "/etc/passwd"), kind: "1") + end
    // The link itself is left out; what is to be written through it must not be.
    case "link": return root + entry("out", .symbolicLink, link: "/tmp") + file("out/escaped") + end
    case "twice": return root + file("a") + file("a") + end
    case "cut": return root + file("a")
    default: return root + end
    }
  }

  private static let end = [UInt8](repeating: 0, count: 2 * TarHeader.blockSize)

  private static func entry(_ name: String, _ kind: TarHeader.Kind, size: Int = 0, link: String = "") -> [UInt8] {
    TarHeader(
      name: Array(name.utf8), kind: kind, mode: 0o644, size: size, modified: 0, linkName: Array(link.utf8)
    ).blocks
  }

  private static func file(_ name: String, bytes: Int = 7) -> [UInt8] {
    entry(name, .file, size: bytes) + [UInt8](repeating: UInt8(ascii: "x"), count: bytes)
      + [UInt8](repeating: 0, count: TarHeader.padding(after: bytes))
  }

  /// A header of another kind: its byte is at 156, the checksum, which has to fit, in the 8 bytes from 148.
  private static func changed(_ header: [UInt8], kind: Character) -> [UInt8] {
    var header = header
    header[156] = kind.asciiValue ?? 0
    header.replaceSubrange(148..<156, with: Array("        ".utf8))
    let digits = Array(String(header.reduce(0) { $0 + Int($1) }, radix: 8).utf8)
    header.replaceSubrange(148..<(148 + digits.count), with: digits)
    return header
  }
}
