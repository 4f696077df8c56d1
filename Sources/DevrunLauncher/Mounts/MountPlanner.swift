import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc

/// Plans the child's view of files: which steps lead to it from the machine's.
///
/// A file or directory that is to appear where there is one of its kind already is bound over it. Where there is none, it
/// depends on the nearest directory that exists.
///
/// If the user may write to that directory, an empty mount point is made in it on the machine, and removed at the end. So the
/// directory stays the machine's: what is written there lasts, and a file can be replaced by a rename.
///
/// If the user may not, nothing is made on the machine. Instead the directory is covered by an empty file system in memory,
/// and each of its entries is shown in it again: directories with all that is below them, files and sockets singly,
/// symbolic links made anew. So siblings stay what they are, writes to them reach the machine, sockets among them
/// answer; and what is missing is made beside them. The covering file system is read-only, since the directory was so for
/// the user. An overlay would do none of this: it swallows the writes, and sockets below it are dead.
///
/// The planner only looks at the machine. What it finds may change before the steps are carried out, and afterwards: a
/// process of the view follows the directories that are covered read-only.
struct MountPlanner {
  /// The steps so far.
  private(set) var steps: [MountStep] = []
  /// What has to be made on the machine before the steps, each directory before what is in it.
  private(set) var mountPoints: [MountPoints.Place] = []
  /// What has been bound: from the path in the view to the path on the machine.
  private var bound: [ViewPath: RawString] = [:]
  /// The directories made in the view.
  private var made: Set<ViewPath> = []
  /// The directories that are made on the machine.
  private var madeForReal: Set<ViewPath> = []
  /// What is bound over that the machine has.
  private var existing: Set<ViewPath> = []
  private var covered: Set<ViewPath> = []
  /// What makes the covered directories read-only to which the user may not write.
  private var closing: [MountStep] = []
  /// The entries that give way to something of another kind.
  private var replaced: Set<ViewPath> = []
  /// The directories of such entries, which have to be covered.
  private var toBeCovered: Set<ViewPath> = []

  /// Where the command starts, if its path does not lead there: nothing that holds it can be covered.
  private let unnamedDirectory: ViewPath?
  private let force: Bool
  private let mayWrite: (RawString) -> Bool

  /// More than this many entries of one directory are not shown again one by one.
  static let mostEntries = 10_000

  /// A plan without steps.
  ///
  /// - Parameters:
  ///   - workingDirectory: where the command starts; `nil` if that has no path.
  ///   - force: whether also directories to which the user may write are covered, where no mount point can be made.
  ///   - mayWrite: whether the user may make something in a directory.
  init(
    workingDirectory: RawString? = nil, force: Bool = false,
    mayWrite: @escaping (RawString) -> Bool = { $0.withCString { access($0, W_OK | X_OK) } == 0 }
  ) {
    unnamedDirectory = workingDirectory.flatMap { path in
      guard path.bytes.first == UInt8(ascii: "/") else { return nil }
      return path.withCString { access($0, F_OK) } == 0 ? nil : ViewPath(ViewPath.split(path))
    }
    self.force = force
    self.mayWrite = mayWrite
  }

  /// A plan of all that a launch wants to be seen.
  ///
  /// - Parameters:
  ///   - workingDirectory: where the command starts; `nil` if that has no path.
  ///   - mayWrite: whether the user may make something in a directory.
  static func planned(
    for plan: LaunchPlan, workingDirectory: RawString? = nil, mayWrite: ((RawString) -> Bool)? = nil
  ) throws(MountError) -> MountPlanner {
    var planner = MountPlanner(workingDirectory: workingDirectory, force: plan.forcesVolumes)
    if let mayWrite {
      planner = MountPlanner(workingDirectory: workingDirectory, force: plan.forcesVolumes, mayWrite: mayWrite)
    }
    try refuseWhatHides(plan, workingDirectory)
    var mounts = plan.mounts
    // The machine's own files are never made for devrun's sake.
    var own: [LaunchPlan.Mount] = []
    if let file = plan.hostsFile { own.append(.init(source: file, target: "/etc/hosts")) }
    if let file = plan.nameServiceSwitchFile { own.append(.init(source: file, target: "/etc/nsswitch.conf")) }
    for mount in mounts + own { try planner.markReplaced(mount) }
    // What lies under another mount comes after it.
    mounts += own
    var order: [(depth: Int, mount: LaunchPlan.Mount)] = []
    for mount in mounts { order.append((ViewPath.split(try resolve(mount.target)).count, mount)) }
    for (_, mount) in order.sorted(by: { $0.depth < $1.depth }) {
      try planner.show(
        mount.source, isDirectory: planner.kind(ofSource: mount.source).isDirectory, at: mount.target,
        isDevruns: own.contains(mount))
    }
    for path in plan.hiddenPaths { try planner.hide(path) }
    planner.steps += planner.closing.reversed()
    return planner
  }

  /// What is bound over, with the directories that hold it, each before what is in it.
  private var targets: [MountPoints.Place] {
    var places: Set<MountPoints.Place> = []
    for (target, source) in bound {
      for length in target.names.indices.dropFirst() {
        places.insert(.init(path: ViewPath(Array(target.names[..<length])).text, isDirectory: true))
      }
      let isDirectory = (try? FileKind.following(source))?.isDirectory ?? true
      places.insert(.init(path: target.text, isDirectory: isDirectory))
    }
    return places.sorted { $0.path < $1.path }
  }

  /// Whether all that is bound over is there still: another session may have removed its mount point.
  var isUpToDate: Bool {
    existing.allSatisfy { $0.text.withCString { access($0, F_OK) == 0 || errno != ENOENT } }
  }

  /// Makes the mount points, and shares those that other sessions have made.
  ///
  /// - Parameter record: where they are listed; `nil`: none may be made.
  func makeMountPoints(recordedIn record: RawString?) throws(MountError) -> MountPoints? {
    guard let record else {
      if let first = mountPoints.first { throw .noMountPoint(first.path) }
      return nil
    }
    do throws(MountPoints.Failure) {
      return try MountPoints(making: mountPoints, sharing: targets, record: record)
    } catch {
      throw .notMade(error.path, error.error)
    }
  }

  /// Shows the source at the target.
  ///
  /// - Parameter isDevruns: whether it is shown for devrun's own sake, for which nothing is made on the machine.
  mutating func show(
    _ source: RawString, isDirectory: Bool, at target: RawString, isDevruns: Bool = false
  ) throws(MountError) {
    var (place, missing) = try locate(target)
    if missing.isEmpty {
      if try self.isDirectory(place) == isDirectory {
        if !isBound(place), !made.contains(place) { existing.insert(place) }
        bind(source, at: place)
        return
      }
      missing = place.names.suffix(1)
      place = place.parent
    }
    if !isDevruns, isTheUsers(place) {
      let way = missing.first.map { place.appending($0) } ?? place
      if try kind(of: way) == nil {
        makeForReal(missing, in: place, isDirectory: isDirectory)
        return bind(source, at: missing.reduce(place) { $0.appending($1) })
      }
      if !force { throw .occupied(target, by: way.text) }
    }
    if !made.contains(place), !covered.contains(place) { try cover(place) }
    for name in missing.dropLast() {
      place = place.appending(name)
      made.insert(place)
      steps.append(.makeDirectory(place))
    }
    if let name = missing.last { place = place.appending(name) }
    steps.append(isDirectory ? .makeDirectory(place) : .makeFile(place))
    bind(source, at: place)
  }

  /// Whether nothing is at a path, and nothing but a directory above it.
  func isFree(_ path: RawString) throws(MountError) -> Bool {
    let (place, missing) = try locate(path)
    guard let first = missing.first else { return false }
    return try kind(of: place.appending(first)) == nil
  }

  /// Whether a place is a directory of the machine to which the user may write.
  private func isTheUsers(_ place: ViewPath) -> Bool {
    if madeForReal.contains(place) { return true }
    if made.contains(place) || covered.contains(place) || isBound(place) { return false }
    if force, toBeCovered.contains(place) { return false }
    return ProtectedPaths.kernelRoot(of: place) == nil && mayWrite(place.text)
  }

  /// Whether a place is, or is in, something that is bound.
  private func isBound(_ place: ViewPath) -> Bool {
    place.names.indices.contains { bound[ViewPath(Array(place.names[...$0]))] != nil }
  }

  private mutating func makeForReal(_ names: [RawString], in directory: ViewPath, isDirectory: Bool) {
    var place = directory
    for (index, name) in names.enumerated() {
      place = place.appending(name)
      let isLast = index == names.count - 1
      mountPoints.append(.init(path: place.text, isDirectory: isDirectory || !isLast))
      if !isLast { madeForReal.insert(place) }
    }
  }

  /// Makes the path look empty: a directory is empty, a file is /dev/null, a socket refuses. Where there is nothing, an
  /// empty directory keeps it so in a directory that is followed.
  private mutating func hide(_ path: RawString) throws(MountError) {
    var (place, missing) = try locate(path)
    if !missing.isEmpty {
      // What the machine has there later does not appear either.
      guard steps.contains(.follow(place)) else { return }
      for name in missing {
        place = place.appending(name)
        steps.append(.makeDirectory(place))
      }
      return
    }
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
    if unnamedDirectory?.names.starts(with: directory.names) == true { throw .losesWorkingDirectory(directory.text) }
    steps.append(.cover(directory, mode: mode))
    for name in names where !replaced.contains(directory.appending(name)) {
      switch try kind(of: directory.appending(name)) {
      case .directory: steps.append(.keepDirectory(name))
      case .link(let target): steps.append(.keepLink(name, to: target))
      case .file: steps.append(.keepFile(name))
      case nil: continue
      }
    }
    if !isBound(directory), !mayWrite(directory.text) {
      steps.append(.follow(directory))
      closing.append(.makeReadOnly(directory, mode: mode))
    }
    if directory.names.isEmpty { steps.append(.enterRoot) }
    covered.insert(directory)
  }

  /// Remembers what has to give way to the mount, so that it is not shown again when its directory is covered.
  private mutating func markReplaced(_ mount: LaunchPlan.Mount) throws(MountError) {
    let (place, missing) = try locate(mount.target)
    if let first = missing.first {
      let way = place.appending(first)
      replaced.insert(way)
      if try kind(of: way) != nil { toBeCovered.insert(place) }
    } else if try isDirectory(place) != kind(ofSource: mount.source).isDirectory {
      replaced.insert(place)
      toBeCovered.insert(place.parent)
    }
  }
}

extension MountPlanner {
  /// The longest part of the path that exists in the view, without symbolic links, and the names that are missing below
  /// it. A file in the place of a directory counts as missing.
  ///
  /// There is no way through what is missing and back (`/none/../x`): such a path is meant as kubelet reads it, by its
  /// names.
  func locate(_ path: RawString) throws(MountError) -> (ViewPath, missing: [RawString]) {
    guard path.bytes.first == UInt8(ascii: "/") else { throw .notAbsolute(path) }
    // The kernel would take the part before it.
    if path.bytes.contains(0) { throw .inaccessible(path, .invalidArgument) }
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
      case .file, nil:
        guard let dots = names.firstIndex(of: "..") else { return (place, [name] + names) }
        names.remove(at: dots)
        if dots > 0 { names.remove(at: dots - 1) }
        if dots > 0 { names.insert(name, at: 0) }
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
    if made.contains(place) || madeForReal.contains(place) { return .directory(mode: 0o755) }
    let kind = try reading(place.text) { () throws(Errno) in
      // What is bound is seen through the symbolic links of its source's path.
      try bound[place] != nil ? FileKind.following(backing(place)) : .at(backing(place))
    }
    // A mount point of another user's session may go at any time, and takes away what is mounted there.
    if case .directory(let mode) = kind, MountPoints.isMarked(mode), MountPoints.isForeign(place.text) { return nil }
    return kind
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
    return missing.reduce(place) { $0.appending($1) }.text
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
