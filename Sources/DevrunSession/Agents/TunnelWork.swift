internal import DevrunKube
internal import DevrunTunnel
internal import DevrunView
internal import NIOCore

/// Work that needs a tunnel. If the tunnel breaks meanwhile, the work is done again by the next one.
struct TunnelWork<Link: AnyObject & Sendable>: Sendable {
  /// How often the work is done at most.
  var attempts = 3
  /// The tunnel that is up; `nil` while none is.
  var outbound: @Sendable () -> Link?
  /// Whether a tunnel is over or is just ending.
  var isOver: @Sendable (Link) async -> Bool
  /// Waits until a tunnel is up.
  var arrival: @Sendable () async throws -> Void

  /// Does the work.
  ///
  /// - Parameter work: what is done, such that it can be done again.
  /// - Throws: what the work throws by a tunnel that did not break, or at the last attempt; what the wait for a tunnel
  ///   throws.
  func run<Value>(_ work: (Link) async throws -> Value) async throws -> Value {
    var attempt = 0
    var broken: Link?
    var waits = Backoff()
    while true {
      guard let link = outbound(), link !== broken else {
        try await arrival()
        // What has just broken may be taken for up a moment longer.
        await waits.pause()
        try Task.checkCancellation()
        continue
      }
      attempt += 1
      do {
        return try await work(link)
      } catch let error as TunnelError {
        try Task.checkCancellation()
        guard attempt < attempts, await isOver(link) else { throw error }
        broken = link
      }
    }
  }
}

extension Tunnel {
  /// How long the end of a tunnel may come after the end of what went through it.
  private static let ending = TimeAmount.seconds(1)

  /// Whether the tunnel is over or is just ending.
  var isOver: Bool {
    get async {
      let isOver = eventLoop.makePromise(of: Bool.self)
      closed.whenComplete { _ in isOver.succeed(true) }
      let timer = eventLoop.scheduleTask(in: Self.ending) { isOver.succeed(false) }
      isOver.futureResult.whenComplete { _ in timer.cancel() }
      return await withCheckedContinuation { continuation in
        isOver.futureResult.whenSuccess { continuation.resume(returning: $0) }
      }
    }
  }
}

extension StartedPod {
  /// Does work by the tunnel that is up, and again by the next if that breaks meanwhile.
  ///
  /// - Throws: as `TunnelWork.run` and `FirstTunnel.wait`
  func withTunnel<Value>(_ context: SessionContext, _ work: (Tunnel) async throws -> Value) async throws -> Value {
    let pods = pods
    let arrival = FirstTunnel(to: "pod/\(object.name)", context: context, endsWhenHopeless: false)
    return try await TunnelWork(
      outbound: { pods.tunnels.outbound }, isOver: { await $0.isOver }, arrival: { try await arrival.wait(for: pods) }
    ).run(work)
  }
}
