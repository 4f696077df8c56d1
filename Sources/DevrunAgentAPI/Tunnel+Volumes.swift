public import DevrunArchive
public import DevrunCore
public import DevrunTunnel
internal import NIOCore

/// What the agent is asked of volumes.
extension Tunnel {
  private static let maximumSizeAnswer = 256
  /// Longer than any line: a number and a name of the container's file system.
  private static let maximumLine = 8192

  /// Measures a folder of the agent's container, or a file.
  ///
  /// - Parameter selection: what of the folder is meant, as for `copy(_:selecting:into:limits:progress:)`.
  /// - Throws: a `TunnelError`.
  public func size(of path: RawString, selecting selection: RawString? = nil) async throws -> FolderSize {
    let name = "the size of \(path)"
    var query = ["path": path.bytes]
    query["select"] = selection?.bytes
    let answer = try await document("/volumes/size", query: query, limit: Self.maximumSizeAnswer, as: name)
    guard let size = FolderSize(line: answer) else {
      throw TunnelError.failedRequest(name, "the answer is no size")
    }
    return size
  }

  /// Tells the present version of each of the given volumes, and then each new one, until the tunnel breaks or the task is
  /// cancelled. Of a volume that kubelet does not renew, it reports that files directly in it have changed.
  ///
  /// - Parameters:
  ///   - paths: where the container has the volumes.
  ///   - body: called for one change after the other.
  /// - Throws: a `TunnelError`; what `body` throws.
  public func followVolumes(_ paths: [RawString], _ body: (VolumeChange) async throws -> Void) async throws {
    let name = "the changes of volumes"
    let request = StreamRequest.get(path: "/volumes/changes", query: ["paths": NULSeparated.encode(paths)])
    try await withBytes(of: request, as: name) { source in
      var line: [UInt8] = []
      while let bytes = try await source.next() {
        for byte in bytes.readableBytesView {
          if byte != UInt8(ascii: "\n") {
            line.append(byte)
            guard line.count <= Self.maximumLine else { throw TunnelError.answerTooLarge(name) }
            continue
          }
          guard let change = VolumeChange(line: line), change.index < paths.count else {
            throw TunnelError.failedRequest(name, "a line is no change")
          }
          line = []
          try await body(change)
        }
      }
    }
  }

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
}
