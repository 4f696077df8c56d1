internal import Synchronization

/// The agent's ConfigMaps in the course of a session: they are uploaded at the start, again if somebody deletes them, and
/// deleted at the end.
package final class PayloadDelivery: Sendable {
  /// The names of the ConfigMaps.
  package let names: PayloadConfigMaps

  private let payload: Payload
  private let upload: PayloadUpload
  /// How many uploads are under way or were broken off.
  private let unfinished = Mutex(0)

  /// A delivery of which nothing is in the cluster yet.
  package init(of payload: Payload, by upload: PayloadUpload) {
    self.payload = payload
    self.upload = upload
    names = upload.names(of: payload)
  }

  /// Uploads the agent. Cancellation breaks that off. After a failure it can be done again: what has arrived stays.
  ///
  /// - Throws: `KubeError`, `CancellationError`
  package func begin() async throws {
    if unfinished.withLock({ $0 }) == 0 { try await create(names.all) } else { try await restore() }
  }

  /// Uploads those of the ConfigMaps that are gone. Cancellation breaks that off.
  ///
  /// - Throws: `KubeError`, `CancellationError`
  package func restore() async throws {
    let present = try await upload.present() ?? []
    let gone = names.all.filter { !present.contains($0) }
    if !gone.isEmpty { try await create(gone) }
  }

  /// Deletes the ConfigMaps, and waits for those that the server may still make of an upload that was broken off. It can be
  /// done again.
  ///
  /// - Throws: `KubeError`
  package func end() async throws {
    if unfinished.withLock({ $0 }) == 0 {
      try await upload.delete(names.all)
    } else {
      try await upload.clear(names.all)
    }
  }

  private func create(_ names: [String]) async throws {
    unfinished.withLock { $0 += 1 }
    try await upload.create(payload, only: Set(names))
    unfinished.withLock { $0 -= 1 }
  }
}
