internal import DevrunCore
internal import DevrunSystem
internal import Glibc
internal import NIOCore

/// What came of unpacking an archive.
public struct UnpackedArchive: Sendable, Hashable {
  /// The number of files, folders and links that were made.
  public var entries = 0
  /// The bytes of all files.
  public var totalSize = 0
  /// The links that were not made because they lead out of the archive's root: path and target.
  public var refusedLinks: [String] = []
  /// Whether the archive held one file instead of a folder's content (a volume mounted with `subPath`).
  public var isSingleFile = false
}

/// Makes an archive's files below one folder, by calls that never follow a link.
///
/// Every name is opened relative to its parent's descriptor with O_NOFOLLOW, and made with O_EXCL, so that nothing in
/// the archive can redirect a later entry, and nothing that exists is overwritten. Files belong to the user; the owner
/// can always read them and empty folders.
public struct ArchiveUnpacker: ~Copyable {
  /// A file whose content is being written.
  private struct OpenFile {
    var entry: ArchiveEntry
    var content: Descriptor
  }

  private let root: Descriptor
  private let rootPath: String
  private var file: OpenFile?
  private var folders: [ArchiveEntry] = []
  /// What was unpacked so far.
  public private(set) var result = UnpackedArchive()

  /// Unpacks into a folder that exists and should be empty.
  ///
  /// - Throws: `ArchiveError.system`
  public init(into folder: String) throws(ArchiveError) {
    do throws(Errno) {
      root = try Descriptor.open(RawString(folder), O_RDONLY | O_DIRECTORY)
    } catch {
      throw .system(call: "open", path: folder, error)
    }
    rootPath = folder
  }

  /// Does what an archive's reader found.
  ///
  /// - Throws: `ArchiveError.conflictingEntry`, `.system`
  public mutating func handle(_ event: ArchiveEvent) throws(ArchiveError) {
    switch event {
    case .entry(let entry): try make(entry)
    case .escapingLink(let entry):
      guard case .symbolicLink(let target) = entry.kind else { return }
      result.refusedLinks.append("\(entry.name) -> \(target)")
    case .data(let bytes): try write(bytes)
    case .endOfFile: try endFile()
    }
  }

  /// Gives the folders their final permissions. To be called after the archive's end.
  ///
  /// - Throws: `ArchiveError.conflictingEntry`, `.system`
  public mutating func finish() throws(ArchiveError) {
    for entry in folders.reversed() {
      var folder = root
      if let name = entry.path.last { folder = try open(name, in: openParent(of: entry), for: entry) }
      try call("fchmod", for: entry) { () throws(Errno) in
        try system { fchmod(folder.number, mode_t(entry.mode) | 0o700) }
      }
    }
  }

  private mutating func make(_ entry: ArchiveEntry) throws(ArchiveError) {
    result.entries += 1
    guard let name = entry.path.last else {
      folders.append(entry)
      return
    }
    let parent = try openParent(of: entry)
    switch entry.kind {
    case .directory:
      try call("mkdirat", for: entry) { () throws(Errno) in try Directory.make(name, mode: 0o700, in: parent) }
      folders.append(entry)
    case .symbolicLink(let target):
      try call("symlinkat", for: entry) { () throws(Errno) in
        try SymbolicLink.make(name, target: target, in: parent)
      }
    case .file:
      if result.entries == 1 { result.isSingleFile = true }
      let content = try call("openat", for: entry) { () throws(Errno) in
        try Descriptor.open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, in: parent)
      }
      file = OpenFile(entry: entry, content: content)
    }
  }

  private mutating func write(_ bytes: ByteBuffer) throws(ArchiveError) {
    guard let file else { return }
    result.totalSize += bytes.readableBytes
    // Zeros take no room: a file that was sparse in the container is not larger here.
    if bytes.readableBytesView.allSatisfy({ $0 == 0 }) {
      try call("lseek", for: file.entry) { () throws(Errno) in
        try system { lseek(file.content.number, off_t(bytes.readableBytes), SEEK_CUR) }
      }
    } else {
      try call("write", for: file.entry) { () throws(Errno) in try file.content.writeAll(bytes.readableBytesView) }
    }
  }

  private mutating func endFile() throws(ArchiveError) {
    guard let file else { return }
    self.file = nil
    let number = file.content.number
    try call("ftruncate", for: file.entry) { () throws(Errno) in
      // The file ends where its content does, zeros at its end included.
      let size = try system { lseek(number, 0, SEEK_CUR) }
      try system { ftruncate(number, size) }
    }
    try call("fchmod", for: file.entry) { () throws(Errno) in
      // Set-uid and the like are no business of a copy; the owner reads, as the container's user did.
      try system { fchmod(number, mode_t(file.entry.mode & 0o777) | 0o400) }
    }
    try call("futimens", for: file.entry) { () throws(Errno) in
      let time = timespec(tv_sec: Int(file.entry.modified), tv_nsec: 0)
      try system { futimens(number, [time, time]) }
    }
  }

  /// Opens the folder that an entry belongs in, one name at a time.
  private func openParent(of entry: ArchiveEntry) throws(ArchiveError) -> Descriptor {
    var folder = root
    for name in entry.path.dropLast() { folder = try open(name, in: folder, for: entry) }
    return folder
  }

  private func open(
    _ name: RawString, in folder: Descriptor, for entry: ArchiveEntry
  ) throws(ArchiveError) -> Descriptor {
    try call("openat", for: entry) { () throws(Errno) in
      try Descriptor.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, in: folder)
    }
  }

  /// Calls the system for an entry.
  @discardableResult
  private func call<Result>(
    _ name: String, for entry: ArchiveEntry, _ body: () throws(Errno) -> Result
  ) throws(ArchiveError) -> Result {
    do throws(Errno) {
      return try body()
    } catch .exists, .notADirectory, .tooManyLinks, .noEntry {
      // Whatever is in the way has been made by the same archive.
      throw .conflictingEntry(entry.name)
    } catch {
      throw .system(call: name, path: "\(rootPath)/\(entry.name)", error)
    }
  }
}
