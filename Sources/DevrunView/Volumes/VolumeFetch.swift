internal import DevrunAgentAPI
internal import DevrunArchive
package import DevrunCore
package import DevrunTunnel
internal import DevrunSystem
internal import Glibc

/// Copies volumes from the agent's container.
package struct VolumeFetch: Sendable {
  /// How many are copied at a time.
  private static let concurrency = 4
  /// The size from which what is no secret lies on disk, in bytes.
  private static let diskSize = 32 << 20
  /// The size from which progress is reported, in bytes.
  private static let progressSize = 8 << 20

  /// The agent.
  var tunnel: Tunnel
  /// The most that one volume may hold, in bytes.
  var limit: Int
  /// Who gets the news.
  var reporter: any Reporter

  /// A way to copy through the tunnel to an agent.
  ///
  /// - Parameters:
  ///   - tunnel: the tunnel.
  ///   - limit: the most that one volume may hold, in bytes.
  ///   - reporter: who gets the news.
  package init(tunnel: Tunnel, limit: Int, reporter: any Reporter) {
    self.tunnel = tunnel
    self.limit = limit
    self.reporter = reporter
  }

  /// Copies what is planned. It can be done again after a failure, such as that of the tunnel.
  ///
  /// - Parameters:
  ///   - memory: the session's folder.
  ///   - disk: makes a folder for what is large; called once at most.
  /// - Returns: the copies, in the plan's order. What is too large and was not named is left out, with a warning.
  /// - Throws: `TunnelError`, `ArchiveError`, `ViewError`
  func run(
    _ plan: VolumePlan, memory: SessionDirectory, disk: () async throws -> SessionDirectory
  ) async throws -> [MaterializedVolumes.Copy] {
    let sizes = try await concurrently(plan.items) { item in try await size(of: item) }
    var tasks: [(item: VolumePlan.Item, folder: String, size: Int)] = []
    var large: SessionDirectory?
    for (index, (item, size)) in zip(plan.items, sizes).enumerated() {
      if size > limit {
        let error = ViewError.volumeTooLarge(item.volume.name, bytes: size, limit: limit)
        if item.isNamed { throw error }
        reporter.report(.warning(error.message))
        continue
      }
      var directory = memory
      if size > Self.diskSize, !item.volume.staysInMemory {
        if large == nil { large = try await disk() }
        directory = large ?? memory
      }
      let name =
        tasks.contains { $0.item.volume.name == item.volume.name } ? "\(item.volume.name).\(index)" : item.volume.name
      tasks.append((item, try directory.makeEmptyFolder("volumes/\(name)"), size))
    }
    return try await concurrently(tasks) { task -> MaterializedVolumes.Copy? in
      do {
        return try await copy(task.item, into: task.folder, size: task.size)
      } catch let error as ViewError {
        // The size of a volume of objects shows while it is copied.
        guard case .volumeTooLarge = error, !task.item.isNamed else { throw error }
        reporter.report(.warning(error.message))
        try mappingErrno(to: { ViewError.cannotChange(task.folder, $0) }) { () throws(Errno) in
          try Directory.removeTree(RawString(task.folder))
        }
        return nil
      }
    }.compactMap { $0 }
  }

  /// Copies a volume.
  ///
  /// - Parameters:
  ///   - folder: an empty folder.
  ///   - size: how much is to come, in bytes, as far as it is known.
  ///   - version: the name of the version of a part that kubelet renews.
  /// - Throws: `TunnelError`, `ArchiveError`
  func copy(
    _ item: VolumePlan.Item, into folder: String, size: Int = 0, as version: RawString = "..start"
  ) async throws -> MaterializedVolumes.Copy {
    let name = item.volume.name
    let archive: UnpackedArchive
    do {
      archive = try await tunnel.copy(
        RawString(item.volume.mountPath), selecting: item.selection, into: folder,
        limits: ArchiveLimits(totalSize: limit, entries: 1_000_000)
      ) { bytes in
        if size > Self.progressSize { reporter.report(.progress("copying volume \(name)", done: bytes, of: size)) }
      }
    } catch ArchiveError.tooLarge {
      throw ViewError.volumeTooLarge(name, bytes: nil, limit: limit)
    }
    for link in archive.refusedLinks {
      reporter.report(.detail("volume \(name): the link \(link) leads out of it and is left out"))
    }
    let isFile = archive.isSingleFile && item.part == nil
    let names = RawString(item.volume.mountPath).bytes.split(separator: UInt8(ascii: "/")).map { RawString(Array($0)) }
    // A path may end in anything; what leads out of the folder is no file's name.
    let file = isFile ? names.last { ![".", ".."].contains($0) } : nil
    let copy = MaterializedVolumes.Copy(item: item, folder: folder, file: file)
    if let part = item.part, access(copy.path.description, F_OK) != 0 {
      throw ViewError.emptyPart("\(name)/\(part)")
    }
    if item.part != nil, item.volume.isRenewed { try VolumeFolder.arrange(copy.path, as: version) }
    return copy
  }

  /// What a volume holds, in bytes; what the API holds is never large, and not asked for.
  private func size(of item: VolumePlan.Item) async throws -> Int {
    if item.volume.isMadeOfObjects { return 0 }
    let size = try await tunnel.size(of: RawString(item.volume.mountPath), selecting: item.selection)
    if size.unreadable > 0 {
      let what =
        "volume \(item.volume.name) comes without \(size.unreadable) of its files, which the container's user may not read"
      reporter.report(item.isNamed ? .warning(ErrorMessage(what)) : .detail(what))
    }
    if size.sockets > 0 {
      reporter.report(
        .warning(
          ErrorMessage(
            "volume \(item.volume.name) comes without its Unix sockets (\(size.sockets))",
            why: "a socket leads to a process of its own node, and is not carried over")))
    }
    return size.bytes
  }

  /// Does the same with several things, some at a time, and returns the results in their order.
  private func concurrently<Thing: Sendable, Result: Sendable>(
    _ things: [Thing], _ work: @escaping @Sendable (Thing) async throws -> Result
  ) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (Int, Result).self) { group in
      var results: [Int: Result] = [:]
      var waiting = Array(things.enumerated().reversed())
      func start() {
        guard let (index, thing) = waiting.popLast() else { return }
        group.addTask { (index, try await work(thing)) }
      }
      for _ in 0..<Self.concurrency { start() }
      for try await (index, result) in group {
        results[index] = result
        start()
      }
      return things.indices.compactMap { results[$0] }
    }
  }
}
