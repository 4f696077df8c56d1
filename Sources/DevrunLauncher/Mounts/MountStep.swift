import CLinux
import DevrunCore

/// A step of the way to the child's view of files. The forked child carries them out between fork and exec.
enum MountStep: Hashable, Sendable {
  /// Shows the source, with all that is mounted below it, at the target.
  case bind(source: RawString, target: ViewPath)
  /// Covers a directory by an empty file system in memory with the given permissions. The `keep` steps that follow
  /// are about its entries.
  case cover(ViewPath, mode: UInt32)
  /// Shows a subdirectory of the covered directory again.
  case keepDirectory(RawString)
  /// Shows a file, socket or device of the covered directory again.
  case keepFile(RawString)
  /// Makes a symbolic link of the covered directory anew.
  case keepLink(RawString, to: RawString)
  /// Keeps the entries of the covered directory like the machine's as long as the command runs.
  case follow(ViewPath)
  /// Makes the covered `/` the child's root.
  case enterRoot
  /// Makes a directory in what covers another.
  case makeDirectory(ViewPath)
  /// Makes an empty file in what covers a directory.
  case makeFile(ViewPath)
  /// Makes what covers a directory read-only, with the given permissions.
  case makeReadOnly(ViewPath, mode: UInt32)
}

extension MountStep {
  /// The kind, source, target and mode of the C form.
  var parts: (kind: devrun_mount_kind, source: RawString, target: RawString, mode: UInt32) {
    switch self {
    case .bind(let source, let target): (DEVRUN_MOUNT_BIND, source, target.text, 0)
    case .cover(let path, let mode): (DEVRUN_MOUNT_COVER, "", path.text, mode)
    case .keepDirectory(let name): (DEVRUN_MOUNT_KEEP_DIRECTORY, "", name, 0)
    case .keepFile(let name): (DEVRUN_MOUNT_KEEP_FILE, "", name, 0)
    case .keepLink(let name, let target): (DEVRUN_MOUNT_KEEP_LINK, target, name, 0)
    case .follow(let path): (DEVRUN_MOUNT_FOLLOW, "", path.text, 0)
    case .enterRoot: (DEVRUN_MOUNT_ENTER_ROOT, "", "/", 0)
    case .makeDirectory(let path): (DEVRUN_MOUNT_MAKE_DIRECTORY, "", path.text, 0o755)
    case .makeFile(let path): (DEVRUN_MOUNT_MAKE_FILE, "", path.text, 0)
    case .makeReadOnly(let path, let mode): (DEVRUN_MOUNT_MAKE_READ_ONLY, "", path.text, mode)
    }
  }

  /// What the step is about, for a message.
  var subject: RawString {
    switch self {
    case .enterRoot: "/"
    default: parts.target
    }
  }
}

/// An absolute path in the child's view, without symbolic links, `.` and `..`.
struct ViewPath: Hashable, Sendable {
  /// The names from the root on.
  var names: [RawString]

  /// The root, or a path of the given names.
  init(_ names: [RawString] = []) { self.names = names }

  /// The names of an absolute path as it is written.
  static func split(_ path: RawString) -> [RawString] {
    path.bytes.split(separator: UInt8(ascii: "/")).map { RawString($0) }.filter { $0 != "." }
  }

  /// The path as the kernel takes it.
  var text: RawString {
    names.isEmpty ? "/" : RawString(names.flatMap { Array("/".utf8) + $0.bytes })
  }

  /// The entry of this name.
  func appending(_ name: RawString) -> ViewPath { ViewPath(names + [name]) }

  /// The directory that this is in; the root is in itself.
  var parent: ViewPath { ViewPath(names.dropLast()) }
}
