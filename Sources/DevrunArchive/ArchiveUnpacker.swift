internal import DevrunCore
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
  private let root: Int32
  private let rootPath: String
  private var file: Int32 = -1
  private var current: ArchiveEntry?
  private var folders: [ArchiveEntry] = []
  /// What was unpacked so far.
  public private(set) var result = UnpackedArchive()

  /// Unpacks into a folder that exists and should be empty.
  ///
  /// - Throws: `ArchiveError.system`
  public init(into folder: String) throws(ArchiveError) {
    root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    rootPath = folder
    guard root >= 0 else { throw .system(call: "open", path: folder, errno: errno) }
  }

  deinit {
    if file >= 0 { Glibc.close(file) }
    Glibc.close(root)
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
    for folder in folders.reversed() {
      let mode = mode_t(folder.mode) | 0o700
      guard let name = folder.path.last else {
        try check(fchmod(root, mode), "fchmod", folder)
        continue
      }
      let parent = try openParent(of: folder)
      defer { release(parent) }
      let descriptor = openat(parent, path(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      try check(descriptor, "openat", folder)
      defer { Glibc.close(descriptor) }
      try check(fchmod(descriptor, mode), "fchmod", folder)
    }
  }

  private mutating func make(_ entry: ArchiveEntry) throws(ArchiveError) {
    result.entries += 1
    guard let name = entry.path.last else {
      folders.append(entry)
      return
    }
    let parent = try openParent(of: entry)
    defer { release(parent) }
    switch entry.kind {
    case .directory:
      try check(mkdirat(parent, path(name), 0o700), "mkdirat", entry)
      folders.append(entry)
    case .symbolicLink(let target):
      try check(symlinkat(path(target), parent, path(name)), "symlinkat", entry)
    case .file:
      if result.entries == 1 { result.isSingleFile = true }
      file = openat(parent, path(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      try check(file, "openat", entry)
      current = entry
    }
  }

  private mutating func write(_ bytes: ByteBuffer) throws(ArchiveError) {
    guard let current else { return }
    result.totalSize += bytes.readableBytes
    // Zeros take no room: a file that was sparse in the container is not larger here.
    if bytes.readableBytesView.allSatisfy({ $0 == 0 }) {
      if lseek(file, off_t(bytes.readableBytes), SEEK_CUR) < 0 {
        throw .system(call: "lseek", path: place(of: current), errno: errno)
      }
      return
    }
    var written = 0
    while written < bytes.readableBytes {
      let count = bytes.withUnsafeReadableBytes { buffer in
        Glibc.write(file, buffer.baseAddress?.advanced(by: written), buffer.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(call: "write", path: place(of: current), errno: errno) }
      written += count
    }
  }

  private mutating func endFile() throws(ArchiveError) {
    guard let current else { return }
    defer {
      Glibc.close(file)
      file = -1
      self.current = nil
    }
    // The file ends where its content does, zeros at its end included.
    try check(ftruncate(file, lseek(file, 0, SEEK_CUR)), "ftruncate", current)
    // Set-uid and the like are no business of a copy; the owner reads, as the container's user did.
    try check(fchmod(file, mode_t(current.mode & 0o777) | 0o400), "fchmod", current)
    let time = timespec(tv_sec: Int(current.modified), tv_nsec: 0)
    try check(futimens(file, [time, time]), "futimens", current)
  }

  /// Opens the folder that an entry belongs in, one name at a time.
  private func openParent(of entry: ArchiveEntry) throws(ArchiveError) -> Int32 {
    var folder = root
    for name in entry.path.dropLast() {
      let next = openat(folder, path(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      let error = errno
      release(folder)
      guard next >= 0 else { throw failure("openat", entry, error) }
      folder = next
    }
    return folder
  }

  private func release(_ folder: Int32) {
    if folder != root { Glibc.close(folder) }
  }

  private func path(_ name: RawString) -> [CChar] { (name.bytes + [0]).map { CChar(bitPattern: $0) } }

  private func place(of entry: ArchiveEntry) -> String { "\(rootPath)/\(entry.name)" }

  private func check(_ result: Int32, _ call: String, _ entry: ArchiveEntry) throws(ArchiveError) {
    if result < 0 { throw failure(call, entry, errno) }
  }

  /// What an errno means here: whatever is in the way has been made by the same archive.
  private func failure(_ call: String, _ entry: ArchiveEntry, _ error: Int32) -> ArchiveError {
    switch error {
    case EEXIST, ENOTDIR, ELOOP, ENOENT: .conflictingEntry(entry.name)
    default: .system(call: call, path: place(of: entry), errno: error)
    }
  }
}
