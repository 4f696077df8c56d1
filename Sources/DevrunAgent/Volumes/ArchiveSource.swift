// Gives a folder as an archive, piece by piece, while its files grow, shrink and vanish. Whatever happens, the archive
// stays well-formed: an entry is written with the size that the open file had, and exactly so many bytes follow.

internal import DevrunArchive
internal import DevrunCore
internal import DevrunSystem
internal import Glibc
internal import Synchronization

/// An archive that is read piece by piece, by one thread at a time, though not always the same.
package protocol ArchivePieces: Sendable {
  /// The next piece; `nil` at the end.
  func next() throws -> [UInt8]?
}

/// How the archive of a folder or file is opened, or of a part of it.
package typealias ArchiveOpening =
  @Sendable (_ path: [UInt8], _ selection: [UInt8]?) throws -> any ArchivePieces

/// The archive of one folder, or of one file.
final class ArchiveSource: ArchivePieces {
  private let archive: Mutex<FolderArchive>

  /// Opens the folder or file.
  ///
  /// - Parameter selection: what of a folder is meant; `nil` for all.
  /// - Throws: the error of open(2).
  init(path: RawString, selection: PathSelection? = nil) throws(Errno) {
    if let entries = try FolderSnapshot.entries(of: path, selection: selection) {
      archive = Mutex(FolderArchive(entries))
    } else {
      archive = Mutex(FolderArchive(try FolderWalk(path: path, selection: selection)))
    }
  }

  /// Opens what devrun asks for.
  static let opening: ArchiveOpening = { path, selection in
    try ArchiveSource(path: RawString(path), selection: selection.flatMap { PathSelection($0) })
  }

  func next() throws -> [UInt8]? { archive.withLock { $0.next() } }
}

/// How far the archive has come.
private struct FolderArchive: ~Copyable {
  private static let pieceSize = 32 << 10

  /// A file whose content is being sent.
  private struct OpenFile {
    var content: Descriptor
    var remaining: Int
    var padding: Int
  }

  /// What was found already, the next at the end.
  private var found: [FolderEntry] = []
  /// What finds the rest, if there may be more.
  private var walk: FolderWalk?
  private var file: OpenFile?
  private var output: [UInt8] = []
  private var ended = false

  init(_ walk: consuming FolderWalk) { self.walk = consume walk }

  init(_ entries: [FolderEntry]) {
    found = entries.reversed()
    walk = nil
  }

  /// The next piece; `nil` at the end.
  mutating func next() -> [UInt8]? {
    while output.count < Self.pieceSize, !ended { advance() }
    guard !output.isEmpty else { return nil }
    defer { output = [] }
    return output
  }

  private mutating func advance() {
    guard file == nil else { return sendContent() }
    switch found.popLast() ?? walk?.next() {
    case .directory(let name, let status):
      putHeader((name.isEmpty ? [UInt8(ascii: ".")] : name) + [UInt8(ascii: "/")], .directory, status)
    case .link(let name, let status, let target):
      putHeader(name, .symbolicLink, status, link: target.bytes)
    case .file(let name, let status, let content):
      let size = Int(status.st_size)
      putHeader(name, .file, status, size: size)
      file = OpenFile(content: content, remaining: size, padding: TarHeader.padding(after: size))
    case nil:
      ended = true
      output += [UInt8](repeating: 0, count: 2 * TarHeader.blockSize)
    }
  }

  private mutating func sendContent() {
    guard var file else { return }
    let wanted = min(file.remaining, Self.pieceSize)
    let piece = (try? file.content.read(upTo: wanted)) ?? []
    // A file that became shorter, or cannot be read on, is filled up: the archive has its size already.
    output += piece.isEmpty ? [UInt8](repeating: 0, count: wanted) : piece
    file.remaining -= piece.isEmpty ? wanted : piece.count
    guard file.remaining == 0 else {
      self.file = file
      return
    }
    output += [UInt8](repeating: 0, count: file.padding)
    self.file = nil
  }

  private mutating func putHeader(
    _ name: [UInt8], _ kind: TarHeader.Kind, _ status: stat, size: Int = 0, link: [UInt8] = []
  ) {
    output +=
      TarHeader(
        name: name, kind: kind, mode: UInt16(status.st_mode & 0o777), size: size,
        modified: Int64(status.st_mtim.tv_sec), linkName: link
      ).blocks
  }
}
