public import DevrunArchive
public import DevrunCore
internal import NIOCore

extension Tunnel {
  /// Copies a folder (or a single file) of the agent's container into a folder here.
  ///
  /// Links, modes and times of change are kept; devices and sockets are left out; links that lead out of the folder are
  /// not made, and named in the result. What is there when an error is thrown is incomplete and the caller's to remove.
  ///
  /// - Parameters:
  ///   - path: the folder in the container, such as a volume's mount path.
  ///   - selection: what of the folder is meant: a relative path whose parts may hold `*`, `?` and `[...]` (glob(7)); links
  ///     to it are followed. `nil` for all.
  ///   - folder: an empty folder here.
  ///   - limits: what to take at most.
  ///   - progress: told how many bytes of files have come so far.
  /// - Throws: a `TunnelError` or an `ArchiveError`.
  public func copy(
    _ path: RawString, selecting selection: RawString? = nil, into folder: String, limits: ArchiveLimits,
    progress: @Sendable (Int) -> Void = { _ in }
  ) async throws -> UnpackedArchive {
    var reader = ArchiveReader(limits: limits)
    var unpacker = try ArchiveUnpacker(into: folder)
    var query = ["path": path.bytes]
    query["select"] = selection?.bytes
    try await withBytes(of: .get(path: "/volumes", query: query), as: "the files at \(path)") { source in
      while let bytes = try await source.next() {
        reader.feed(bytes)
        while let event = try reader.next() { try unpacker.handle(event) }
        progress(unpacker.result.totalSize)
      }
    }
    try reader.finish()
    try unpacker.finish()
    return unpacker.result
  }

  /// Gives the bytes of a document to `body`, as fast as it takes them.
  func withBytes(of request: StreamRequest, as name: String, _ body: (ByteSource) async throws -> Void) async throws {
    let pending = streams.open(request, timeout: options.dialTimeout) { stream in
      let handler = PullHandler(eventLoop: stream.eventLoop)
      try stream.pipeline.syncOperations.addHandler(handler)
      return ByteSource(handler: NIOLoopBound(handler, eventLoop: stream.eventLoop), channel: stream, name: name)
    }
    try await withTaskCancellationHandler {
      let source: ByteSource
      do {
        source = try await pending.stream.get()
      } catch {
        throw Self.requestError(error, name: name)
      }
      defer { source.channel.close(promise: nil) }
      try await body(source)
    } onCancel: {
      pending.cancel()
    }
  }
}
