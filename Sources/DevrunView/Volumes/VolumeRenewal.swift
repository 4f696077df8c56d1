internal import DevrunAgentAPI
package import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunTunnel

/// Renews the volumes here as kubelet renews them in the pod: rotated tokens, changed ConfigMaps and Secrets. Nothing is asked
/// for again and again: the agent reports each change.
package struct VolumeRenewal: Sendable {
  /// What is followed.
  private let places: [Place]
  /// The tunnels that are up.
  var tunnels: AttachedTunnels
  /// The session's folder, where new versions are prepared.
  var directory: SessionDirectory
  /// The most that one volume may hold, in bytes.
  var limit: Int
  /// Who gets the news.
  var reporter: any Reporter

  /// A place at which the container has a volume, and all copies of it and of its parts. They are renewed at once.
  private struct Place {
    var path: RawString
    var copies: [MaterializedVolumes.Copy]

    /// The version that all copies have. A part's own version has another name than the volume's.
    var version: RawString? {
      copies.allSatisfy { $0.item.part == nil } ? copies.first.flatMap { VolumeFolder.version(of: $0.folder) } : nil
    }
  }

  /// Follows those of the copies that kubelet renews, and those that a sidecar may write to. (A volume that is mounted with
  /// `subPath` is not renewed.)
  package init(
    _ volumes: MaterializedVolumes, tunnels: AttachedTunnels, directory: SessionDirectory,
    limit: Int,
    reporter: any Reporter
  ) {
    let copies = volumes.copies.filter {
      ($0.item.volume.isRenewed || $0.item.volume.kind == "emptyDir") && $0.file == nil
    }
    let paths = copies.map(\.item.volume.mountPath)
    places = paths.enumerated().filter { paths.firstIndex(of: $0.element) == $0.offset }.map { _, path in
      Place(path: RawString(path), copies: copies.filter { $0.item.volume.mountPath == path })
    }
    self.tunnels = tunnels
    self.directory = directory
    self.limit = limit
    self.reporter = reporter
  }

  /// Works until the task is cancelled or the session's pods are not followed any more.
  package func run() async {
    guard !places.isEmpty else { return }
    var versions = places.map(\.version)
    var stale: Set<Int> = []
    var reported: String?
    var failures: [Int: String] = [:]
    await Self.keepFollowing(arrivals: tunnels.arrivals, outbound: { tunnels.outbound }) { tunnel in
      let fetch = VolumeFetch(tunnel: tunnel, limit: limit, reporter: reporter)
      let paths = places.map(\.path)
      try await Self.handleEach(
        from: { take in try await tunnel.followVolumes(paths) { take($0) } }
      ) { change in
        reported = nil
        guard change.version != VolumeChange.withoutVersion else {
          if stale.insert(change.index).inserted { reportStale(places[change.index]) }
          return true
        }
        guard versions[change.index] != change.version else { return true }
        do {
          try await renew(places[change.index].copies, to: change.version, by: fetch)
        } catch let failure as RenewalFailure {
          if failures.updateValue(failure.why, forKey: change.index) != failure.why { report(failure) }
          return false
        }
        failures[change.index] = nil
        versions[change.index] = change.version
        return true
      }
    } failed: { error in
      let words = "\(error)"
      guard reported != words else { return }
      reported = words
      // The agent itself cannot follow the volumes: its node has no inotify instance left, say.
      if case TunnelError.failedRequest = error {
        reporter.report(.warning(ErrorMessage("volumes are not renewed at the moment", why: words)))
      } else {
        reporter.report(.detail("volumes are not renewed at the moment: \(words)"))
      }
    }
  }

  /// Handles changes one after the other, as long as they come. What fails is tried again after a while, unless a newer
  /// change of the same volume has come.
  ///
  /// - Parameters:
  ///   - follow: hands over each change, and throws when it cannot go on.
  ///   - backoff: the waits between attempts at one volume.
  ///   - handle: whether the change was handled.
  static func handleEach(
    from follow: @escaping @Sendable (_ take: @Sendable (VolumeChange) -> Void) async throws -> Void,
    backoff: Backoff = Backoff(first: .seconds(1), limit: .seconds(60)),
    handle: (VolumeChange) async throws -> Bool
  ) async throws {
    let (attempts, source) = AsyncStream.makeStream(of: VolumeAttempt.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { source.finish() }
        try await follow { source.yield(VolumeAttempt(change: $0, waits: backoff, isFirst: true)) }
      }
      var newest: [Int: VolumeChange] = [:]
      for await attempt in attempts {
        let change = attempt.change
        if attempt.isFirst { newest[change.index] = change }
        guard newest[change.index] == change else { continue }
        if try await handle(change) {
          newest[change.index] = nil
        } else {
          group.addTask {
            var next = VolumeAttempt(change: change, waits: attempt.waits, isFirst: false)
            await next.waits.pause()
            source.yield(next)
          }
        }
      }
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  /// Follows by whichever tunnel is up, again and again, until the task is cancelled or no tunnel will come any more.
  ///
  /// A tunnel that has just broken may still be the one for what goes out: an attempt that fails is followed by another, also
  /// if no tunnel has come since. Waits between attempts grow up to a minute.
  ///
  /// - Parameters:
  ///   - arrivals: an element for each tunnel that came up.
  ///   - outbound: the tunnel to use now, `nil` while none is up.
  ///   - backoff: the waits between attempts.
  ///   - follow: works as long as the tunnel does; it throws when it cannot go on.
  ///   - failed: takes what `follow` threw.
  static func keepFollowing<Link>(
    arrivals: Broadcast<String>, outbound: () -> Link?,
    backoff: Backoff = Backoff(first: .milliseconds(500), limit: .seconds(60)),
    follow: (Link) async throws -> Void, failed: (any Error) -> Void
  ) async {
    var waits = backoff
    var arrived = arrivals.stream().makeAsyncIterator()
    while !Task.isCancelled {
      guard let link = outbound() else {
        if await arrived.next() == nil { return }
        continue
      }
      let start = ContinuousClock.now
      do {
        try await follow(link)
      } catch {
        if Task.isCancelled { return }
        failed(error)
      }
      if ContinuousClock.now - start > backoff.limit { waits = backoff }
      await waits.pause()
    }
  }

  /// A volume without versions may hold what the command itself has written here, so that no file of it is replaced.
  private func reportStale(_ place: Place) {
    let names = Set(place.copies.map(\.item.volume.name)).sorted().joined(separator: ", ")
    reporter.report(
      .warning(
        ErrorMessage(
          "files of volume \(names) have changed in the pod, and the command sees those of the start",
          why: "something in the pod writes to \(place.path), such as a sidecar that renews secrets",
          remedy: "start again to see the new files")))
  }

  /// Renews the copies of a volume and of its parts.
  ///
  /// - Throws: `RenewalFailure`, `TunnelError`
  private func renew(
    _ copies: [MaterializedVolumes.Copy], to version: RawString, by fetch: VolumeFetch
  ) async throws {
    try await Self.renew(copies) { index, copy in
      let folder = try directory.makeEmptyFolder("renewal/\(copy.item.volume.name).\(index)")
      let name = VolumeFolder.isVersion(version) ? version : "..next"
      do {
        return try await fetch.copy(copy.item, into: folder, as: name)
      } catch {
        // Half a copy would take the room that the next attempt needs.
        try VolumeFolder.remove(RawString(folder))
        throw error
      }
    }
    for name in Set(copies.map(\.item.volume.name)).sorted() {
      reporter.report(.detail("volume \(name) is renewed"))
    }
  }

  /// Renews copies: first all are fetched, then one is swapped right after the other. If one cannot be fetched, all stay as
  /// they are: a key and its certificate may be among them.
  ///
  /// - Throws: `RenewalFailure`, and what of the tunnel's errors is no volume's.
  static func renew(
    _ copies: [MaterializedVolumes.Copy],
    fetch: (Int, MaterializedVolumes.Copy) async throws -> MaterializedVolumes.Copy
  ) async throws {
    var fetched: [MaterializedVolumes.Copy] = []
    for (index, copy) in copies.enumerated() {
      do {
        try await RenewalFailure.of(copy) { fetched.append(try await fetch(index, copy)) }
      } catch {
        for copy in fetched { try VolumeFolder.remove(RawString(copy.folder)) }
        throw error
      }
    }
    for (old, new) in zip(copies, fetched) {
      try await RenewalFailure.of(old) { try VolumeFolder.renew(old, by: new) }
    }
  }

  private func report(_ failure: RenewalFailure) {
    reporter.report(
      .warning(
        ErrorMessage(
          "volume \(failure.volume) could not be renewed",
          why: "\(failure.why). The command sees the files as they were, and the renewal is tried again")))
  }
}

/// An attempt at a change of a volume.
private struct VolumeAttempt: Sendable {
  var change: VolumeChange
  /// The waits before the next attempt.
  var waits: Backoff
  /// Whether the change has just come.
  var isFirst: Bool
}

/// A volume could not be renewed, and no other is concerned.
struct RenewalFailure: Error, Hashable {
  /// The volume's name.
  var volume: String
  /// Why.
  var why: String

  /// Does something for a copy of a volume. A break of the tunnel is thrown as it is: it concerns all volumes.
  static func of(_ copy: MaterializedVolumes.Copy, _ work: () async throws -> Void) async throws {
    do {
      try await work()
    } catch let error as TunnelError {
      guard case .failedRequest = error else { throw error }
      throw RenewalFailure(volume: copy.item.volume.name, why: error.message.what)
    } catch let error as any UserFacingError {
      throw RenewalFailure(volume: copy.item.volume.name, why: error.message.what)
    }
  }

}

extension VolumeFolder {
  /// Makes a copy show what a new copy of the same thing holds, which is used up.
  ///
  /// - Throws: `ViewError.cannotChange`
  static func renew(_ old: MaterializedVolumes.Copy, by new: MaterializedVolumes.Copy) throws(ViewError) {
    let (here, there) = (old.path.description, new.path.description)
    // A part's link is beside its files. What has none of its own, a single file above all, is put over the old.
    if version(of: here) != nil, version(of: there) != nil {
      try renew(here, from: there)
      try remove(RawString(new.folder))
    } else {
      try renew(old.folder, from: new.folder)
    }
  }
}
