// Walks a folder that lives on meanwhile: files vanish, and kubelet swaps whole trees. What is gone again, or may not be
// looked at, is left out, as it was not there for the app either; what may not be looked at is counted.

internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// What a walk comes by. Names are relative to the walk's root.
enum FolderEntry {
  /// A folder; what is in it follows. The root has no name.
  case directory(name: [UInt8], status: stat)
  /// A symbolic link.
  case link(name: [UInt8], status: stat, target: RawString)
  /// A file, open.
  case file(name: [UInt8], status: stat, content: Descriptor)
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
  /// How many Unix sockets it has come by.
  private(set) var sockets = 0

  /// Starts at a folder or a file.
  ///
  /// - Parameter selection: what of a folder is meant; `nil` for all.
  /// - Throws: the error of open(2).
  init(path: RawString, selection: PathSelection? = nil) throws(Errno) {
    self.selection = selection
    let root = try Descriptor.open(path, O_RDONLY | O_NONBLOCK)
    let status = try root.status()
    if status.st_mode & S_IFMT == S_IFDIR {
      pending = .directory(name: [], status: status)
      enter(root, prefix: [], selected: selection == nil ? .all : .parts(0))
    } else {
      let name = path.bytes.split(separator: UInt8(ascii: "/")).last.map { Array($0) } ?? Array("file".utf8)
      pending = .file(name: name, status: status, content: root)
    }
  }

  /// The next entry; `nil` at the end.
  mutating func next() -> FolderEntry? {
    if let entry = pending {
      pending = nil
      return entry
    }
    while let folder = folders.last {
      guard let name = folders[folders.count - 1].names.popLast() else {
        folders.removeLast()
        continue
      }
      if let entry = visit(name, in: folder) { return entry }
    }
    return nil
  }

  private mutating func visit(_ name: RawString, in folder: OpenFolder) -> FolderEntry? {
    let match = folder.selected.match(name, selection)
    guard match != .no else { return nil }
    let place = folder.prefix + name.bytes
    let (look, nofollow) = selection == nil ? (AT_SYMLINK_NOFOLLOW, O_NOFOLLOW) : (0, 0)
    var status = stat()
    guard name.withCString({ fstatat(folder.descriptor.number, $0, &status, look) }) == 0 else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      if folders.count < Self.maximumDepth, let child = open(name, O_DIRECTORY | nofollow, in: folder) {
        enter(child, prefix: place + [UInt8(ascii: "/")], selected: folder.selected.below(match))
      }
      return .directory(name: place, status: status)
    case S_IFLNK:
      guard let target = try? SymbolicLink.target(of: name, in: folder.descriptor) else { return nil }
      return .link(name: place, status: status, target: target)
    case S_IFREG where match == .selected:
      // It may have become something else since it was looked at.
      guard let content = open(name, O_NONBLOCK | nofollow, in: folder), let status = try? content.status(),
        status.st_mode & S_IFMT == S_IFREG
      else { return nil }
      return .file(name: place, status: status, content: content)
    case S_IFSOCK where match == .selected:
      sockets += 1
      return nil
    default:
      return nil
    }
  }

  /// Opens a file or folder for reading. `nil` if it has vanished, or may not be read, which is counted.
  private mutating func open(_ name: RawString, _ flags: Int32, in folder: OpenFolder) -> Descriptor? {
    do throws(Errno) {
      return try Descriptor.open(name, O_RDONLY | flags, in: folder.descriptor)
    } catch {
      if error == .accessDenied || error == .notPermitted { unreadable += 1 }
      return nil
    }
  }

  private mutating func enter(_ folder: Descriptor, prefix: [UInt8], selected: PathSelection.Place) {
    // One that cannot be listed counts as empty.
    guard let names = try? Directory.entries(of: folder) else { return }
    folders.append(OpenFolder(descriptor: folder, prefix: prefix, selected: selected, names: names.reversed()))
  }
}

/// A folder that is being walked through.
private struct OpenFolder {
  let descriptor: Descriptor
  let prefix: [UInt8]
  /// How far on the way to what is selected it is.
  let selected: PathSelection.Place
  /// What is still to be visited, the next at the end.
  var names: [RawString]
}
