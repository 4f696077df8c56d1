// A program that has a volume's folder open must never see half of a new version. kubelet's way is taken over
// (Kubernetes' pkg/volume/util/atomic_writer.go): the new files come in a folder of their own, and one rename makes the link
// `..data` lead to it. The names that programs use are links through `..data`; those that are new are added after that
// rename, those that are gone are removed. The version before stays until the next renewal, for a program that has just read
// the link.

internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The folder here that shows a volume to the command.
enum VolumeFolder {
  private static let data = "..data"

  /// Makes a folder show a new copy of its volume.
  ///
  /// - Parameters:
  ///   - folder: what the command sees.
  ///   - copy: a folder of the same file system with the new copy, which is used up.
  /// - Throws: `ViewError.cannotChange`
  static func renew(_ folder: String, from copy: String) throws(ViewError) {
    if let version = version(of: copy) {
      if version != self.version(of: folder) { try swap(folder, to: version, from: copy) }
    } else {
      try replace(RawString(folder), by: RawString(copy))
    }
    try remove(RawString(copy))
  }

  /// Which version of its volume a folder shows: what `..data` leads to. `nil` where kubelet does not renew it, and where
  /// that version did not come.
  static func version(of folder: String) -> RawString? {
    guard let target = try? SymbolicLink.target(of: RawString("\(folder)/\(data)")), isVersion(target),
      isFolder(RawString(folder) / target)
    else { return nil }
    return target
  }

  /// Whether a name can be that of a version: a name beside the link and nothing else, whatever the cluster says.
  static func isVersion(_ name: RawString) -> Bool {
    name.bytes.count > 2 && name.bytes.starts(with: "..".utf8) && !name.bytes.contains(UInt8(ascii: "/"))
      && name != RawString(data)
  }

  /// Gives a part of a volume the form that kubelet gives to whole volumes, so that it can be renewed as they are. The agent
  /// sends the files of a part without kubelet's link.
  ///
  /// - Parameters:
  ///   - folder: the folder of the part's files.
  ///   - version: the name of the version.
  /// - Throws: `ViewError.cannotChange`
  static func arrange(_ folder: RawString, as version: RawString) throws(ViewError) {
    guard isFolder(folder) else { return }
    let names = try names(in: folder)
    let place = folder / version
    try mappingErrno(to: change(of: place)) { () throws(Errno) in
      _ = try place.withCString { (place) throws(Errno) in try system { mkdir(place, 0o755) } }
    }
    for name in names { try move(folder / name, to: place / name) }
    try link(folder / RawString(data), to: version)
    for name in names { try link(folder / name, to: RawString(data) / name) }
  }

  private static func swap(_ folder: String, to version: RawString, from copy: String) throws(ViewError) {
    let (here, there) = (RawString(folder), RawString(copy))
    let old = Set(try names(in: here)).subtracting([RawString(data)])
    let previous = self.version(of: folder)
    try remove(here / version)
    try move(there / version, to: here / version)
    let link = here / RawString("..data_tmp")
    try remove(link)
    try self.link(link, to: version)
    try move(link, to: here / RawString(data))
    let new = Set(try names(in: there).filter { !isInternal($0) })
    for name in new where !old.contains(name) { try move(there / name, to: here / name) }
    for name in old where !new.contains(name) && name != version && name != previous { try remove(here / name) }
  }

  /// Puts the new files over the old, one by one, where there is no version to be swapped.
  private static func replace(_ folder: RawString, by copy: RawString) throws(ViewError) {
    let new = try names(in: copy)
    for name in new {
      let (old, fresh) = (folder / name, copy / name)
      if isFolder(fresh), isFolder(old) {
        try replace(old, by: fresh)
      } else {
        if isFolder(old) || isFolder(fresh) { try remove(old) }
        try move(fresh, to: old)
      }
    }
    for name in Set(try names(in: folder)).subtracting(new) { try remove(folder / name) }
  }

  private static func isInternal(_ name: RawString) -> Bool { name.bytes.starts(with: "..".utf8) }

  private static func isFolder(_ path: RawString) -> Bool {
    var status = stat()
    return path.withCString { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func names(in path: RawString) throws(ViewError) -> [RawString] {
    try mappingErrno(to: change(of: path)) { () throws(Errno) in try Directory.entries(of: path) }
  }

  private static func move(_ old: RawString, to new: RawString) throws(ViewError) {
    try mappingErrno(to: change(of: new)) { () throws(Errno) in
      _ = try old.withCString { (old) throws(Errno) in
        try new.withCString { (new) throws(Errno) in try system { rename(old, new) } }
      }
    }
  }

  private static func link(_ path: RawString, to target: RawString) throws(ViewError) {
    try mappingErrno(to: change(of: path)) { () throws(Errno) in try SymbolicLink.make(path, target: target) }
  }

  static func remove(_ path: RawString) throws(ViewError) {
    try mappingErrno(to: change(of: path)) { () throws(Errno) in try Directory.removeTree(path) }
  }

  /// How a failed change of a path is reported.
  private static func change(of path: RawString) -> (Errno) -> ViewError {
    { ViewError.cannotChange(path.description, $0) }
  }
}

extension RawString {
  /// The path of a name in this folder.
  fileprivate static func / (folder: RawString, name: RawString) -> RawString {
    RawString(folder.bytes + [UInt8(ascii: "/")] + name.bytes)
  }
}
