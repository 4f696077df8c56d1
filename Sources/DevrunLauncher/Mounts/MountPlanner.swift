import DevrunCore
import DevrunPlan
import DevrunSystem

/// Plans the child's view of files: which steps lead to it from the machine's.
///
/// A file or directory that is to appear where there is one of its kind already is bound over it. Where there is none,
/// nothing is made on the machine. Instead the nearest directory that exists is covered by an empty file system in memory,
/// and each of its entries is shown in it again: directories with all that is below them, files and sockets singly,
/// symbolic links made anew. So siblings stay what they are, writes to them reach the machine, sockets among them
/// answer; and what is missing is made beside them. An overlay would do none of this: it swallows the writes, and sockets
/// below it are dead.
///
/// The planner only looks at the machine. What it finds may change before the steps are carried out: an entry that is
/// gone by then is left out, one that appeared is not seen.
struct MountPlanner {
  /// The steps so far.
  private(set) var steps: [MountStep] = []
  /// What has been bound: from the path in the view to the path on the machine.
  private var bound: [ViewPath: RawString] = [:]
  /// The directories made in the view.
  private var made: Set<ViewPath> = []
  private var covered: Set<ViewPath> = []
  /// The entries that give way to something of another kind.
  private var replaced: Set<ViewPath> = []

  /// More than this many entries of one directory are not shown again one by one.
  static let mostEntries = 10_000

  /// The steps for all that a launch plan wants to be seen.
  ///
  /// - Parameter workingDirectory: where the command starts; `nil` if that has no path.
  static func steps(
    for plan: LaunchPlan, workingDirectory: RawString? = nil
  ) throws(MountError) -> [MountStep] {
    var planner = MountPlanner()
    try refuseWhatHides(plan, workingDirectory)
    var mounts = plan.mounts
    if let file = plan.hostsFile { mounts.append(.init(source: file, target: "/etc/hosts")) }
    if let file = plan.nameServiceSwitchFile { mounts.append(.init(source: file, target: "/etc/nsswitch.conf")) }
    for mount in mounts {
      try planner.markReplaced(mount)
    }
    // What lies under another mount comes after it.
    let order = mounts.sorted { ViewPath.split($0.target).count < ViewPath.split($1.target).count }
    for mount in order { try planner.show(mount) }
    for path in plan.hiddenPaths { try planner.hide(path) }
    return planner.steps
  }

  /// Shows the source at the target.
  private mutating func show(_ mount: LaunchPlan.Mount) throws(MountError) {
    let sourceKind = try kind(ofSource: mount.source)
    var (place, missing) = try locate(mount.target)
    if missing.isEmpty {
      if try isDirectory(place) == sourceKind.isDirectory {
        bind(mount.source, at: place)
        return
      }
      missing = place.names.suffix(1)
      place = place.parent
    }
    if !made.contains(place), !covered.contains(place) { try cover(place) }
    for name in missing.dropLast() {
      place = place.appending(name)
      made.insert(place)
      steps.append(.makeDirectory(place))
    }
    if let name = missing.last { place = place.appending(name) }
    steps.append(sourceKind.isDirectory ? .makeDirectory(place) : .makeFile(place))
    bind(mount.source, at: place)
  }

  /// Makes the path look empty: a directory is empty, a file is /dev/null, a socket refuses. Nothing happens if there is
  /// nothing.
  private mutating func hide(_ path: RawString) throws(MountError) {
    let (place, missing) = try locate(path)
    guard missing.isEmpty else { return }
    if case .directory(let mode) = try kind(of: place) {
      steps.append(.cover(place, mode: mode))
    } else {
      steps.append(.bind(source: "/dev/null", target: place))
    }
  }

  private mutating func bind(_ source: RawString, at place: ViewPath) {
    steps.append(.bind(source: source, target: place))
    bound[place] = source
  }

  /// Covers a directory and shows its entries again, except those that give way.
  private mutating func cover(_ directory: ViewPath) throws(MountError) {
    if let kernel = ProtectedPaths.kernelRoot(of: directory) { throw .hides(directory.text, .kernel(kernel)) }
    guard case .directory(let mode) = try kind(of: directory) else {
      throw .inaccessible(directory.text, .notADirectory)
    }
    let names = try reading(directory.text) { () throws(Errno) in try Directory.entries(of: backing(directory)) }
    if names.count > Self.mostEntries { throw .tooManyEntries(directory.text, names.count) }
    steps.append(.cover(directory, mode: mode))
    for name in names where !replaced.contains(directory.appending(name)) {
      switch try kind(of: directory.appending(name)) {
      case .directory: steps.append(.keepDirectory(name))
      case .link(let target): steps.append(.keepLink(name, to: target))
      case .file: steps.append(.keepFile(name))
      case nil: continue
      }
    }
    if directory.names.isEmpty { steps.append(.enterRoot) }
    covered.insert(directory)
  }

  /// Remembers what has to give way to the mount, so that it is not shown again when its directory is covered.
  private mutating func markReplaced(_ mount: LaunchPlan.Mount) throws(MountError) {
    let (place, missing) = try locate(mount.target)
    if let first = missing.first {
      replaced.insert(place.appending(first))
    } else if try isDirectory(place) != kind(ofSource: mount.source).isDirectory {
      replaced.insert(place)
    }
  }
}

extension MountPlanner {
  /// The longest part of the path that exists in the view, without symbolic links, and the names that are missing below
  /// it. A file in the place of a directory counts as missing.
  private func locate(_ path: RawString) throws(MountError) -> (ViewPath, missing: [RawString]) {
    guard path.bytes.first == UInt8(ascii: "/") else { throw .notAbsolute(path) }
    var place = ViewPath()
    var names = ViewPath.split(path)
    var links = 0
    while !names.isEmpty {
      let name = names.removeFirst()
      if name == ".." {
        place = place.parent
        continue
      }
      let next = place.appending(name)
      switch try kind(of: next) {
      case .directory: place = next
      case .file where names.isEmpty: place = next
      case .file, nil: return (place, [name] + names)
      case .link(let target):
        links += 1
        if links > 40 { throw .inaccessible(path, .tooManyLinks) }
        if target.bytes.first == UInt8(ascii: "/") { place = ViewPath() }
        names = ViewPath.split(target) + names
      }
    }
    return (place, [])
  }

  /// What is at a place of the view itself.
  private func kind(of place: ViewPath) throws(MountError) -> FileKind? {
    if made.contains(place) { return .directory(mode: 0o755) }
    return try reading(place.text) { () throws(Errno) in
      // What is bound is seen through the symbolic links of its source's path.
      try bound[place] != nil ? .following(backing(place)) : .at(backing(place))
    }
  }

  private func isDirectory(_ place: ViewPath) throws(MountError) -> Bool { try kind(of: place)?.isDirectory ?? false }

  private func kind(ofSource source: RawString) throws(MountError) -> FileKind {
    guard let kind = try reading(source, { () throws(Errno) in try FileKind.following(source) }) else {
      throw .inaccessible(source, .noEntry)
    }
    return kind
  }

  /// The path on the machine of what is seen at a place of the view.
  private func backing(_ place: ViewPath) -> RawString {
    for length in stride(from: place.names.count, to: 0, by: -1) {
      if let source = bound[ViewPath(Array(place.names[..<length]))] {
        return RawString(source.bytes + place.names[length...].flatMap { Array("/".utf8) + $0.bytes })
      }
    }
    return place.text
  }

  /// The path without symbolic links, as far as it exists on the machine.
  static func resolve(_ path: RawString) throws(MountError) -> RawString {
    let (place, missing) = try MountPlanner().locate(path)
    return missing.reduce(place) { $1 == ".." ? $0.parent : $0.appending($1) }.text
  }

  /// Refuses volumes that would hide what the command, the machine or devrun needs.
  private static func refuseWhatHides(
    _ plan: LaunchPlan, _ workingDirectory: RawString?
  ) throws(MountError) {
    if plan.mounts.isEmpty { return }
    let sources = plan.mounts.map(\.source) + [plan.hostsFile, plan.nameServiceSwitchFile].compactMap { $0 }
    let protected = ProtectedPaths(
      environment: plan.environment, workingDirectory: workingDirectory, executable: plan.executable, sources: sources)
    for mount in plan.mounts { try protected.check(mount.target, force: plan.forcesVolumes) }
  }

  private func reading<Result>(
    _ path: RawString, _ body: () throws(Errno) -> Result
  ) throws(MountError) -> Result {
    try mappingErrno(to: { MountError.inaccessible(path, $0) }, body)
  }
}

extension FileKind {
  /// Whether it is a directory.
  var isDirectory: Bool { if case .directory = self { true } else { false } }
}
