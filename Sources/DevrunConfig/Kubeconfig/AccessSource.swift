internal import DevrunSystem
internal import Glibc

/// Where an access was read, so that it can be read again: a certificate or a token is renewed while a session lives.
public struct AccessSource: Sendable, Hashable {
  /// The places of the configuration.
  var locations: Kubeconfig.Locations
  /// The context, whatever the current one is by now; `nil` for a pod's service account.
  var context: String?
  /// The namespace.
  var namespace: String
  /// The files of certificates and keys that the kubeconfig names, as absolute paths.
  public var files: [String]

  /// What each of the files is now. It changes when a file is written or replaced.
  public var versions: [FileVersion?] { files.map { FileVersion(of: $0) } }

  /// Reads the access again.
  ///
  /// - Returns: `nil` if the configuration cannot be read twice, such as a pipe.
  /// - Throws: `KubeconfigError` or `YAMLError`.
  public func read() throws -> ClusterAccess? {
    let isReadable = (locations.files + files).allSatisfy { path in
      FileVersion(of: path) != nil || !FileVersion.exists(path)
    }
    return isReadable ? try Kubeconfig.access(from: locations, context: context, namespace: namespace) : nil
  }
}

extension AccessSource: CustomStringConvertible {
  /// The files that are watched. Locations hold variables, which are nobody's business.
  public var description: String { "access with the files \(files)" }
}

/// What tells a regular file from what stood in its place before.
public struct FileVersion: Sendable, Hashable {
  private let device: UInt64
  private let number: UInt64
  private let size: Int64
  private let seconds: Int
  private let nanoseconds: Int

  /// The version of the file at a path, links followed; `nil` if there is no regular file.
  init?(of path: String) {
    guard let status = Self.status(path), status.st_mode & S_IFMT == S_IFREG else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
    size = Int64(status.st_size)
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }

  /// Whether there is something at a path.
  static func exists(_ path: String) -> Bool { status(path) != nil }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }
}
