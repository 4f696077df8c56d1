// Walks a folder and gives it as an archive, piece by piece. The folder lives on meanwhile: files grow, shrink and
// vanish, and kubelet swaps whole trees. Whatever happens, the archive stays well-formed: an entry is written with the
// size that the open file had, and exactly so many bytes follow.

internal import DevrunTunnel
internal import Glibc
internal import NIOCore
internal import Synchronization

/// The archive of one folder, or of one file. Nothing is followed but the path to the folder itself.
///
/// Pieces are read by one thread at a time, though not always the same.
final class ArchiveSource: Sendable {
  private let walk: Mutex<ArchiveWalk>

  /// Opens the folder or file.
  ///
  /// - Throws: an `IOError`.
  init(path: [UInt8]) throws { walk = Mutex(try ArchiveWalk(path: path)) }

  /// The next piece; `nil` at the end.
  func next() throws -> [UInt8]? { walk.withLock { $0.next() } }
}

/// A folder that is being walked through.
private struct OpenFolder {
  let descriptor: Int32
  let prefix: [UInt8]
  /// What is still to be visited, the next at the end.
  var names: [[UInt8]]

  /// Lists an open folder. `nil` if it cannot be listed: it is an empty one in the archive.
  init?(descriptor: Int32, prefix: [UInt8]) {
    // A listing takes the descriptor that it is made of over, so it gets one of its own.
    let listing = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard listing >= 0 else { return nil }
    guard let folder = fdopendir(listing) else {
      close(listing)
      return nil
    }
    defer { closedir(folder) }
    self.descriptor = descriptor
    self.prefix = prefix
    names = []
    while let entry = readdir(folder) {
      let name = Self.name(of: entry)
      if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
    }
    names.sort { $1.lexicographicallyPrecedes($0) }
  }

  private static func name(of entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
    withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
  }
}

/// How far the walk has come.
private struct ArchiveWalk: ~Copyable {
  private static let pieceSize = 32 << 10
  private static let maximumDepth = 100

  /// A file whose content is being sent.
  private struct OpenFile {
    var descriptor: Int32
    var remaining: Int
    var padding: Int
  }

  private var folders: [OpenFolder] = []
  private var file: OpenFile?
  private var output: [UInt8] = []
  private var ended = false

  init(path: [UInt8]) throws {
    let descriptor = open((path + [0]).map { CChar(bitPattern: $0) }, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw IOError(errnoCode: errno, reason: "open \(String(decoding: path, as: UTF8.self))")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = errno
      close(descriptor)
      throw IOError(errnoCode: error, reason: "fstat")
    }
    if status.st_mode & S_IFMT == S_IFDIR {
      putHeader(Array("./".utf8), .directory, status)
      enter(descriptor, prefix: [])
    } else {
      let name = path.split(separator: UInt8(ascii: "/")).last.map { Array($0) } ?? Array("file".utf8)
      begin(descriptor, name: name)
    }
  }

  deinit {
    for folder in folders { close(folder.descriptor) }
    if let file { close(file.descriptor) }
  }

  /// Takes an open folder over.
  private mutating func enter(_ descriptor: Int32, prefix: [UInt8]) {
    if let folder = OpenFolder(descriptor: descriptor, prefix: prefix) {
      folders.append(folder)
    } else {
      close(descriptor)
    }
  }

  /// The next piece; `nil` at the end.
  mutating func next() -> [UInt8]? {
    while output.count < Self.pieceSize, !ended { advance() }
    guard !output.isEmpty else { return nil }
    defer { output = [] }
    return output
  }

  private mutating func advance() {
    if file != nil {
      sendContent()
    } else if let folder = folders.last {
      if let name = folders[folders.count - 1].names.popLast() {
        visit(name, in: folder)
      } else {
        close(folder.descriptor)
        folders.removeLast()
      }
    } else {
      ended = true
      output += [UInt8](repeating: 0, count: 2 * TarHeader.blockSize)
    }
  }

  private mutating func visit(_ name: [UInt8], in folder: OpenFolder) {
    let path = (name + [0]).map { CChar(bitPattern: $0) }
    let place = folder.prefix + name
    var status = stat()
    // What is gone again, or may not be looked at, was not there for the app either.
    guard fstatat(folder.descriptor, path, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      putHeader(place + [UInt8(ascii: "/")], .directory, status)
      guard folders.count < Self.maximumDepth else { return }
      let descriptor = openat(folder.descriptor, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard descriptor >= 0 else { return }
      enter(descriptor, prefix: place + [UInt8(ascii: "/")])
    case S_IFLNK:
      var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
      let count = target.withUnsafeMutableBytes { buffer in
        buffer.baseAddress.map { readlinkat(folder.descriptor, path, $0, buffer.count) } ?? -1
      }
      guard count > 0 else { return }
      putHeader(place, .symbolicLink, status, link: Array(target.prefix(count)))
    case S_IFREG:
      let descriptor = openat(folder.descriptor, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      guard descriptor >= 0 else { return }
      begin(descriptor, name: place)
    default:
      return
    }
  }

  /// Starts a file's entry. What has become something else than a file since it was looked at is left out.
  private mutating func begin(_ descriptor: Int32, name: [UInt8]) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      return
    }
    let size = Int(status.st_size)
    putHeader(name, .file, status, size: size)
    file = OpenFile(descriptor: descriptor, remaining: size, padding: TarHeader.padding(after: size))
  }

  private mutating func sendContent() {
    guard var file else { return }
    var piece = [UInt8](repeating: 0, count: min(file.remaining, Self.pieceSize))
    let count = piece.isEmpty ? 0 : read(file.descriptor, &piece, piece.count)
    if count < 0, errno == EINTR { return }
    if file.remaining > 0 {
      // A file that became shorter, or cannot be read on, is filled up: its size has been told already.
      output += count > 0 ? Array(piece.prefix(count)) : piece
      file.remaining -= count > 0 ? count : piece.count
    }
    guard file.remaining == 0 else {
      self.file = file
      return
    }
    output += [UInt8](repeating: 0, count: file.padding)
    close(file.descriptor)
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
