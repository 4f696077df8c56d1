// Walks a folder that lives on meanwhile: files vanish, and kubelet swaps whole trees. What is gone again, or may not be
// looked at, is left out, as it was not there for the app either; what may not be looked at is counted.

internal import Glibc
internal import NIOCore

/// What a walk comes by. Names are relative to the walk's root.
enum FolderEntry {
  /// A folder; what is in it follows. The root has no name.
  case directory(name: [UInt8], status: stat)
  /// A symbolic link.
  case link(name: [UInt8], status: stat, target: [UInt8])
  /// A file, open, which is the caller's to close.
  case file(name: [UInt8], status: stat, descriptor: Int32)
}

/// A walk through a folder, or to a single file, parents before what is in them.
///
/// Nothing is followed but the path to the root itself, and with a selection the links to what is selected: kubelet's
/// volumes are links into a folder that nobody selects.
struct FolderWalk: ~Copyable {
  private static let maximumDepth = 100

  private let selection: PathSelection?
  private var folders: [OpenFolder] = []
  private var pending: FolderEntry?
  /// How many files and folders may not be read by this process's user.
  private(set) var unreadable = 0

  /// Starts at a folder or a file.
  ///
  /// - Parameter selection: what of a folder is meant; `nil` for all.
  /// - Throws: an `IOError`.
  init(path: [UInt8], selection: PathSelection? = nil) throws {
    self.selection = selection
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
      pending = .directory(name: [], status: status)
      enter(descriptor, prefix: [], selected: selection == nil ? .all : .parts(0))
    } else {
      let name = path.split(separator: UInt8(ascii: "/")).last.map { Array($0) } ?? Array("file".utf8)
      pending = .file(name: name, status: status, descriptor: descriptor)
    }
  }

  deinit {
    for folder in folders { close(folder.descriptor) }
    if case .file(_, _, let descriptor) = pending { close(descriptor) }
  }

  /// The next entry; `nil` at the end.
  mutating func next() -> FolderEntry? {
    if let entry = pending {
      pending = nil
      return entry
    }
    while let folder = folders.last {
      guard let name = folders[folders.count - 1].names.popLast() else {
        close(folder.descriptor)
        folders.removeLast()
        continue
      }
      if let entry = visit(name, in: folder) { return entry }
    }
    return nil
  }

  private mutating func visit(_ name: [UInt8], in folder: OpenFolder) -> FolderEntry? {
    let match = folder.selected.match(name, selection)
    guard match != .no else { return nil }
    let path = (name + [0]).map { CChar(bitPattern: $0) }
    let place = folder.prefix + name
    let (look, nofollow) = selection == nil ? (AT_SYMLINK_NOFOLLOW, O_NOFOLLOW) : (0, 0)
    var status = stat()
    guard fstatat(folder.descriptor, path, &status, look) == 0 else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      guard folders.count < Self.maximumDepth else { return .directory(name: place, status: status) }
      let descriptor = openat(folder.descriptor, path, O_RDONLY | O_DIRECTORY | nofollow | O_CLOEXEC)
      guard descriptor >= 0 else {
        noteFailure()
        return .directory(name: place, status: status)
      }
      enter(descriptor, prefix: place + [UInt8(ascii: "/")], selected: folder.selected.below(match))
      return .directory(name: place, status: status)
    case S_IFLNK:
      var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
      let count = target.withUnsafeMutableBytes { buffer in
        buffer.baseAddress.map { readlinkat(folder.descriptor, path, $0, buffer.count) } ?? -1
      }
      return count > 0 ? .link(name: place, status: status, target: Array(target.prefix(count))) : nil
    case S_IFREG where match == .selected:
      let descriptor = openat(folder.descriptor, path, O_RDONLY | nofollow | O_NONBLOCK | O_CLOEXEC)
      guard descriptor >= 0 else {
        noteFailure()
        return nil
      }
      // It may have become something else since it was looked at.
      guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        close(descriptor)
        return nil
      }
      return .file(name: place, status: status, descriptor: descriptor)
    default:
      return nil
    }
  }

  /// Tells what may not be read from what has vanished, by the error of the call that was just made.
  private mutating func noteFailure() {
    if errno == EACCES || errno == EPERM { unreadable += 1 }
  }

  /// Takes an open folder over.
  private mutating func enter(_ descriptor: Int32, prefix: [UInt8], selected: PathSelection.Place) {
    if let folder = OpenFolder(descriptor: descriptor, prefix: prefix, selected: selected) {
      folders.append(folder)
    } else {
      close(descriptor)
    }
  }
}

/// A folder that is being walked through.
private struct OpenFolder {
  let descriptor: Int32
  let prefix: [UInt8]
  /// How far on the way to what is selected it is.
  let selected: PathSelection.Place
  /// What is still to be visited, the next at the end.
  var names: [[UInt8]]

  /// Lists an open folder. `nil` if it cannot be listed: it counts as empty.
  init?(descriptor: Int32, prefix: [UInt8], selected: PathSelection.Place) {
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
    self.selected = selected
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
