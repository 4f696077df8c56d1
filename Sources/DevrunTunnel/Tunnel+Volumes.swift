public import DevrunCore
internal import NIOCore

/// How much a folder holds.
public struct FolderSize: Sendable, Hashable {
  /// The bytes of all its files.
  public var bytes: Int
  /// The number of files, folders and links, itself included.
  public var entries: Int
  /// The number of files and folders that the container's user may not read.
  public var unreadable: Int

  /// A size of the given parts.
  public init(bytes: Int, entries: Int, unreadable: Int = 0) {
    self.bytes = bytes
    self.entries = entries
    self.unreadable = unreadable
  }

  /// The form on the wire: three numbers.
  package var line: [UInt8] { Array("\(bytes) \(entries) \(unreadable)".utf8) }

  /// Reads the form on the wire.
  package init?(line: [UInt8]) {
    let numbers = line.split(separator: UInt8(ascii: " ")).map { Int(String(decoding: $0, as: UTF8.self)) }
    guard numbers.count == 3, let bytes = numbers[0], let entries = numbers[1], let unreadable = numbers[2] else {
      return nil
    }
    self.init(bytes: bytes, entries: entries, unreadable: unreadable)
  }
}

/// A volume as kubelet has it now: which version of its content the link `..data` leads to.
public struct VolumeChange: Sendable, Hashable {
  /// The volume's place among those that are watched.
  public var index: Int
  /// What `..data` leads to: a name that kubelet makes of the time.
  public var version: RawString

  /// A change of the given parts.
  public init(index: Int, version: RawString) {
    self.index = index
    self.version = version
  }

  package init(index: Int, version: [UInt8]) { self.init(index: index, version: RawString(version)) }

  /// The form on the wire: a line. A name with a line's end in it, which kubelet makes none of, is cut there.
  package var line: [UInt8] {
    Array("\(index) ".utf8) + version.bytes.prefix { $0 != UInt8(ascii: "\n") } + [UInt8(ascii: "\n")]
  }

  /// Reads a line without its end.
  package init?(line: some Collection<UInt8>) {
    guard let space = line.firstIndex(of: UInt8(ascii: " ")),
      let index = Int(String(decoding: line[..<space], as: UTF8.self)), index >= 0
    else { return nil }
    self.init(index: index, version: RawString(Array(line[line.index(after: space)...])))
  }
}

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
  /// cancelled. Volumes that kubelet does not renew are not told of.
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
}
