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
    await Self.keepFollowing(arrivals: tunnels.arrivals, outbound: { tunnels.outbound }) { tunnel in
      let fetch = VolumeFetch(tunnel: tunnel, limit: limit, reporter: reporter)
      try await tunnel.followVolumes(places.map(\.path)) { change in
        reported = nil
        guard change.version != VolumeChange.withoutVersion else {
          if stale.insert(change.index).inserted { reportStale(places[change.index]) }
          return
        }
        guard versions[change.index] != change.version else { return }
        try await renew(places[change.index].copies, to: change.version, by: fetch)
        versions[change.index] = change.version
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

  /// Renews the copies of a volume and of its parts: first all are fetched, then one is swapped right after the other.
  private func renew(
    _ copies: [MaterializedVolumes.Copy], to version: RawString, by fetch: VolumeFetch
  ) async throws {
    var fetched: [(old: MaterializedVolumes.Copy, new: MaterializedVolumes.Copy)] = []
    for (index, copy) in copies.enumerated() {
      try await reporting(copy) {
        let folder = try directory.makeEmptyFolder("renewal/\(copy.item.volume.name).\(index)")
        let name = VolumeFolder.isVersion(version) ? version : "..next"
        fetched.append((copy, try await fetch.copy(copy.item, into: folder, as: name)))
      }
    }
    for (old, new) in fetched {
      try await reporting(old) { try VolumeFolder.renew(old, by: new) }
    }
    for name in Set(fetched.map(\.old.item.volume.name)).sorted() {
      reporter.report(.detail("volume \(name) is renewed"))
    }
  }

  /// A volume that cannot be renewed now stays as it is, and a warning is reported.
  private func reporting(_ copy: MaterializedVolumes.Copy, _ work: () async throws -> Void) async throws {
    do {
      try await work()
    } catch let error as any UserFacingError where !(error is TunnelError) {
      let name = copy.item.volume.name
      reporter.report(.warning(ErrorMessage("volume \(name) could not be renewed", why: "\(error.message.what)")))
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
