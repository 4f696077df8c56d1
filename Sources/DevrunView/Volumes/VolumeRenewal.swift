internal import DevrunAgentAPI
package import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunTunnel

/// Renews the volumes here as kubelet renews them in the pod: rotated tokens, changed ConfigMaps and Secrets. Nothing is asked
/// for again and again: the agent reports each change.
package struct VolumeRenewal: Sendable {
  /// What is followed.
  private let copies: [MaterializedVolumes.Copy]
  /// The tunnels that are up.
  var tunnels: AttachedTunnels
  /// The session's folder, where new versions are prepared.
  var directory: SessionDirectory
  /// The most that one volume may hold, in bytes.
  var limit: Int
  /// Who gets the news.
  var reporter: any Reporter

  /// Follows those of the copies that kubelet renews. (A volume that is mounted with `subPath` is not.)
  package init(
    _ volumes: MaterializedVolumes, tunnels: AttachedTunnels, directory: SessionDirectory,
    limit: Int,
    reporter: any Reporter
  ) {
    copies = volumes.copies.filter { $0.item.volume.isMadeOfObjects && $0.file == nil }
    self.tunnels = tunnels
    self.directory = directory
    self.limit = limit
    self.reporter = reporter
  }

  /// Works until the task is cancelled or the session's pods are not followed any more.
  package func run() async {
    guard !copies.isEmpty else { return }
    var versions = copies.map { $0.item.part == nil ? VolumeFolder.version(of: $0.folder) : nil }
    var reported: String?
    await Self.keepFollowing(arrivals: tunnels.arrivals, outbound: { tunnels.outbound }) { tunnel in
      let fetch = VolumeFetch(tunnel: tunnel, limit: limit, reporter: reporter)
      try await tunnel.followVolumes(copies.map { RawString($0.item.volume.mountPath) }) { change in
        reported = nil
        guard versions[change.index] != change.version else { return }
        try await renew(copies[change.index], by: fetch)
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

  /// A volume that cannot be renewed now stays as it is, and a warning is reported.
  private func renew(_ copy: MaterializedVolumes.Copy, by fetch: VolumeFetch) async throws {
    let name = copy.item.volume.name
    do {
      let folder = try directory.makeEmptyFolder("renewal/\(name)")
      _ = try await fetch.copy(copy.item, into: folder)
      try VolumeFolder.renew(copy.folder, from: folder)
      reporter.report(.detail("volume \(name) is renewed"))
    } catch let error as any UserFacingError where !(error is TunnelError) {
      reporter.report(.warning(ErrorMessage("volume \(name) could not be renewed", why: "\(error.message.what)")))
    }
  }
}
