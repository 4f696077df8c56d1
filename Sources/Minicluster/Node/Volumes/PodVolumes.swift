// A pod's volumes in the node's folder, and the mounts of its containers.

internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import Glibc
internal import Synchronization

/// The volumes of one pod.
final class PodVolumes: Sendable {
  /// The folder that holds one folder for each volume.
  private let folder: String
  /// What the volumes that show objects show now.
  private let shown = Mutex<[String: [String: VolumeFile]]>([:])

  /// The volumes of a pod that has none yet.
  init(folder: String) { self.folder = folder }

  /// Makes the volumes, or brings them up to date.
  ///
  /// - Returns: the events to report, one for each volume that cannot be mounted or updated.
  func update(of pod: KubeObject, with contents: VolumeContents) -> [(volume: String, error: VolumeError)] {
    shown.withLock { shown in
      var failures: [(volume: String, error: VolumeError)] = []
      for volume in pod.volumes {
        let name = volume["name"]?.string ?? ""
        do throws(VolumeError) {
          try update(volume, name, &shown, contents)
        } catch {
          failures.append((name, error))
        }
      }
      return failures
    }
  }

  private func update(
    _ volume: JSONValue, _ name: String, _ shown: inout [String: [String: VolumeFile]], _ contents: VolumeContents
  ) throws(VolumeError) {
    if let files = try contents.files(of: volume) {
      try performing(name) { () throws(Errno) in
        // On a real node all but ConfigMaps are in memory, in folders like /tmp.
        try makeFolder(name, mode: volume["configMap"] == nil ? 0o1777 : 0o777)
        try VolumeWriter(folder: path(of: name)).write(files, after: shown[name])
      }
      shown[name] = files
    } else if volume["emptyDir"] != nil {
      try performing(name) { () throws(Errno) in try makeFolder(name) }
    } else if let host = volume["hostPath"] {
      try check(host)
    } else {
      let kind = volume.object?.keys.first { $0 != "name" } ?? "unnamed"
      throw VolumeError(message: "the minicluster has no volumes of the kind \(kind)")
    }
  }

  private func performing(_ name: String, _ body: () throws(Errno) -> Void) throws(VolumeError) {
    try mappingErrno(to: { VolumeError(message: "the files of the volume \(name) cannot be written: \($0)") }, body)
  }

  /// Makes a volume's folder, in which everybody may write.
  private func makeFolder(_ name: String, mode: UInt32 = 0o777) throws(Errno) {
    try KubeletFolder.make(path(of: name), mode: mode)
  }

  private func path(of volume: String) -> String { "\(folder)/\(volume)" }

  /// Checks that the machine has what a hostPath volume is to show, and makes it if the volume's type says so.
  private func check(_ source: JSONValue) throws(VolumeError) {
    let (path, type) = (source["path"]?.string ?? "", source["type"]?.string ?? "")
    let exists = access(path, F_OK) == 0
    // With a slash at its end a path leads to a folder or to nothing.
    let isFolder = access(path + "/", F_OK) == 0
    switch type {
    case "Directory" where !isFolder:
      throw VolumeError(message: "hostPath type check failed: \(path) is not a directory")
    case "File" where !exists || isFolder:
      throw VolumeError(message: "hostPath type check failed: \(path) is not a file")
    case "DirectoryOrCreate" where !exists:
      try performing(path) { () throws(Errno) in try KubeletFolder.make(path) }
    case "FileOrCreate" where !exists:
      try performing(path) { () throws(Errno) in
        _ = try Descriptor.open(RawString(path), O_WRONLY | O_CREAT, mode: 0o644)
      }
    default: break
    }
  }

  /// The mounts of a container.
  ///
  /// - Parameter value: the container's variables, for `subPathExpr`.
  /// - Throws: if the container mounts what the pod does not have.
  func mounts(
    of container: Container, in pod: KubeObject, expanding value: (String) -> String?
  ) throws(ContainerConfigError) -> [Sandbox.Launch.Mount] {
    var mounts: [Sandbox.Launch.Mount] = []
    for mount in container.volumeMounts {
      let name = mount["name"]?.string ?? ""
      guard let volume = pod.volumes.first(where: { $0["name"]?.string == name }),
        let target = mount["mountPath"]?.string
      else {
        throw ContainerConfigError(
          message: "cannot find volume \"\(name)\" to mount into container \"\(container.name)\"")
      }
      var source = volume[path: "hostPath", "path"]?.string ?? path(of: name)
      let expression = mount["subPathExpr"]?.string.map { $0.expanded(with: value) }
      if let part = expression ?? mount["subPath"]?.string, !part.isEmpty {
        guard !part.hasPrefix("/"), !part.split(separator: "/").contains("..") else {
          throw ContainerConfigError(message: "subPath \"\(part)\" must not leave its volume")
        }
        source += "/\(part)"
        try makeFolders(to: part, of: volume, at: source)
      }
      let showsObjects = ["configMap", "secret", "downwardAPI", "projected"].contains { volume[$0] != nil }
      mounts.append(
        Sandbox.Launch.Mount(
          source: source, target: target, isReadOnly: showsObjects || mount["readOnly"]?.bool ?? false))
    }
    return mounts
  }

  /// Makes the folder of a `subPath` that is not there yet.
  private func makeFolders(to part: String, of volume: JSONValue, at path: String) throws(ContainerConfigError) {
    guard access(path, F_OK) != 0 else { return }
    guard volume["emptyDir"] != nil || volume["hostPath"] != nil else {
      throw ContainerConfigError(message: "failed to prepare subPath for volumeMount: \(part) is not in the volume")
    }
    var place = String(path.dropLast(part.count))
    for name in part.split(separator: "/") {
      place += "\(name)/"
      do throws(Errno) {
        try KubeletFolder.make(place)
      } catch {
        throw ContainerConfigError(message: "failed to prepare subPath for volumeMount \"\(part)\": \(error)")
      }
    }
  }
}
