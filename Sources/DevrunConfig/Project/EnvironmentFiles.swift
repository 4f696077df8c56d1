internal import DevrunCore
internal import DevrunSystem

/// The files that adjust the command's environment: `azds-local.env` and `KubernetesLocalProcessConfig.yaml`.
public enum EnvironmentFiles {
  /// The paths of the files to read if the user names none, in the order in which they are to be read.
  ///
  /// They are those of the nearest folder that has any, from a folder (an absolute path) upwards to the project's root.
  /// If the folder has both, `KubernetesLocalProcessConfig.yaml` is read first, so that `azds-local.env` has the last
  /// word.
  ///
  /// - Parameters:
  ///   - directory: the absolute path of the folder to begin with.
  ///   - trust: whose files count.
  ///   - option: the option that names such a file, for the error.
  /// - Throws: `ProjectTrustError` for a file that others could have put there.
  public static func find(
    from directory: String, trust: ProjectTrust, option: String
  ) throws(ProjectTrustError) -> [String] {
    try ProjectFolder.find(
      [KubernetesLocalProcessConfig.fileName, AzdsLocalEnv.fileName], from: directory, trust: trust, option: option)
  }

  /// Reads the files at the given paths as one: of two assignments of a name the later file's counts.
  ///
  /// - Parameters:
  ///   - paths: files whose name ends in `.yaml` or `.yml`, in any letter case, are read as
  ///     `KubernetesLocalProcessConfig.yaml`, all others as `azds-local.env`.
  ///   - directory: the absolute path of the folder that relative paths are seen from.
  /// - Throws: `LocalEnvError` with all mistakes of all files, files that cannot be read among them.
  public static func load(_ paths: [String], in directory: String = "/") throws(LocalEnvError) -> LocalEnvFile {
    var files: [LocalEnvFile] = []
    var problems: [LocalEnvError.Problem] = []
    for path in paths {
      do throws(LocalEnvError) {
        files.append(try load(path, in: directory))
      } catch {
        problems += error.problems
      }
    }
    guard problems.isEmpty else { throw LocalEnvError(problems) }
    return LocalEnvFile(merging: files)
  }

  private static func load(_ path: String, in directory: String) throws(LocalEnvError) -> LocalEnvFile {
    let bytes: [UInt8]
    do throws(Errno) {
      bytes = try BoundedFile.read(path)
    } catch {
      throw LocalEnvError([
        .init(position: TextPosition(source: path, mark: nil), reason: .unreadable(error.description))
      ])
    }
    let name = path.lowercased()
    guard name.hasSuffix(".yaml") || name.hasSuffix(".yml") else {
      return try AzdsLocalEnv.parse(bytes, source: path)
    }
    let folder = ConfigPath.folder(of: ConfigPath.resolve(path, in: directory))
    return try KubernetesLocalProcessConfig.parse(bytes, source: path, in: folder)
  }
}
