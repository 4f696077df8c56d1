internal import DevrunArchive
internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import DevrunTunnel
internal import Glibc

/// The volumes that were copied from the agent's container into the session's folders.
struct MaterializedVolumes: Sendable {
  /// A volume, or a part of one, that lies here.
  struct Copy: Sendable {
    /// What it is.
    var item: VolumePlan.Item
    /// The folder here that holds it.
    var folder: String
    /// Its one file, where the container has a file for a volume (`subPath`).
    var file: RawString?

    /// The path of what the container has at the volume's path, or of the part's base.
    var path: RawString {
      let names = file.map { [$0] } ?? (item.part?.base ?? []).map { RawString($0) }
      return RawString(names.reduce(into: Array(folder.utf8)) { $0 += [UInt8(ascii: "/")] + $1.bytes })
    }
  }

  /// The names of all volumes of the container, in its order.
  var names: [String] = []
  /// What lies here.
  var copies: [Copy] = []

  /// What the command sees at paths of its own.
  var mounts: [LaunchPlan.Mount] {
    copies.flatMap { copy in
      copy.item.targets.map { LaunchPlan.Mount(source: copy.path, target: RawString($0)) }
    }
  }

  /// The folder that holds what a file names; empty where there is none.
  func folder(of use: LocalEnvFile.VolumeUse) -> String {
    copies.first { $0.item.volume.name == use.volume && $0.item.isNamed && $0.item.part == use.part }?.folder ?? ""
  }
}

/// Copies volumes from the agent's container.
struct VolumeFetch: Sendable {
  /// How many are copied at a time.
  private static let concurrency = 4
  /// The size from which what is no secret lies on disk, in bytes.
  private static let diskSize = 32 << 20
  /// The size from which progress is told, in bytes.
  private static let tellingSize = 8 << 20

  /// The agent.
  var tunnel: Tunnel
  /// The most that one volume may hold, in bytes.
  var limit: Int
  /// Who is told.
  var observer: any SessionObserver

  /// Copies what is planned.
  ///
  /// - Parameters:
  ///   - memory: the session's folder.
  ///   - disk: makes a folder for what is large; called once at most.
  /// - Returns: the copies, in the plan's order. What is too large and was not named is left out, with a warning.
  /// - Throws: `TunnelError`, `ArchiveError`, `SessionError`
  func run(
    _ plan: VolumePlan, memory: SessionDirectory, disk: () async throws -> SessionDirectory
  ) async throws -> [MaterializedVolumes.Copy] {
    let sizes = try await concurrently(plan.items) { item in try await size(of: item) }
    var tasks: [(item: VolumePlan.Item, folder: String, size: Int)] = []
    var large: SessionDirectory?
    for (index, (item, size)) in zip(plan.items, sizes).enumerated() {
      if size > limit {
        let error = SessionError.volumeTooLarge(item.volume.name, bytes: size, limit: limit)
        if item.isNamed { throw error }
        observer.tell(.warning(error.message))
        continue
      }
      var directory = memory
      if size > Self.diskSize, !item.volume.staysInMemory {
        if large == nil { large = try await disk() }
        directory = large ?? memory
      }
      let name =
        tasks.contains { $0.item.volume.name == item.volume.name } ? "\(item.volume.name).\(index)" : item.volume.name
      tasks.append((item, try directory.makeFolder("volumes/\(name)"), size))
    }
    return try await concurrently(tasks) { task in
      try await copy(task.item, into: task.folder, size: task.size)
    }
  }

  /// Copies a volume.
  ///
  /// - Parameters:
  ///   - folder: an empty folder.
  ///   - size: how much is to come, in bytes, as far as it is known.
  /// - Throws: `TunnelError`, `ArchiveError`
  func copy(_ item: VolumePlan.Item, into folder: String, size: Int = 0) async throws -> MaterializedVolumes.Copy {
    let name = item.volume.name
    let archive: UnpackedArchive
    do {
      archive = try await tunnel.copy(
        RawString(item.volume.mountPath), selecting: item.selection, into: folder,
        limits: ArchiveLimits(totalSize: limit, entries: 1_000_000)
      ) { bytes in
        if size > Self.tellingSize { observer.tell(.progress("copying volume \(name)", done: bytes, of: size)) }
      }
    } catch ArchiveError.tooLarge {
      throw SessionError.volumeTooLarge(name, bytes: nil, limit: limit)
    }
    for link in archive.refusedLinks {
      observer.tell(.detail("volume \(name): the link \(link) leads out of it and is left out"))
    }
    let isFile = archive.isSingleFile && item.part == nil
    let file = isFile ? RawString(item.volume.mountPath).bytes.split(separator: UInt8(ascii: "/")).last : nil
    let copy = MaterializedVolumes.Copy(item: item, folder: folder, file: file.map { RawString(Array($0)) })
    if let part = item.part, access(copy.path.description, F_OK) != 0 {
      throw SessionError.emptyPart("\(name)/\(part)")
    }
    return copy
  }

  /// What a volume holds, in bytes; what the API holds is never large, and not asked for.
  private func size(of item: VolumePlan.Item) async throws -> Int {
    if item.volume.isMadeOfObjects { return 0 }
    let size = try await tunnel.size(of: RawString(item.volume.mountPath), selecting: item.selection)
    if size.unreadable > 0 {
      let what =
        "volume \(item.volume.name) comes without \(size.unreadable) of its files, which the container's user may not read"
      observer.tell(item.isNamed ? .warning(ErrorMessage(what)) : .detail(what))
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
