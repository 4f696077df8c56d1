internal import DevrunCore

extension LocalEnvFile {
  /// The paths of the files to read where the user names none, in the order in which they are to be read.
  ///
  /// They are those of the nearest folder that has any, from a folder (an absolute path) upwards to the project's root.
  /// Where it has both, `KubernetesLocalProcessConfig.yaml` is read first, so that `azds-local.env` has the last word.
  public static func find(from directory: String) -> [String] {
    ProjectFolder.find([KubernetesLocalProcessConfig.fileName, fileName], from: directory)
  }

  /// Reads the files at the given paths as one: of two assignments of a name the later file's counts.
  ///
  /// - Parameter paths: files whose name ends in `.yaml` or `.yml` are read as `KubernetesLocalProcessConfig.yaml`, all
  ///   others as `azds-local.env`.
  /// - Throws: `LocalEnvError` with all mistakes of all files, files that cannot be read among them.
  public static func load(_ paths: [String]) throws(LocalEnvError) -> LocalEnvFile {
    var files: [LocalEnvFile] = []
    var problems: [LocalEnvError.Problem] = []
    for path in paths {
      do throws(LocalEnvError) {
        files.append(try load(path))
      } catch {
        problems += error.problems
      }
    }
    guard problems.isEmpty else { throw LocalEnvError(problems) }
    return LocalEnvFile(merging: files)
  }

  /// Reads the file at a path: `load(_:)` for one.
  ///
  /// - Throws: `LocalEnvError` with all mistakes of the file.
  public static func load(_ path: String) throws(LocalEnvError) -> LocalEnvFile {
    let bytes: [UInt8]
    do throws(File.ReadError) {
      bytes = try File.read(path)
    } catch {
      throw LocalEnvError([.init(position: TextPosition(source: path, mark: nil), reason: .unreadable(error.reason))])
    }
    let isYAML = path.hasSuffix(".yaml") || path.hasSuffix(".yml")
    return isYAML
      ? try KubernetesLocalProcessConfig.parse(bytes, source: path) : try parse(bytes, source: path)
  }

  /// Reads a text in the form of `azds-local.env`.
  ///
  /// - Parameters:
  ///   - bytes: the text; values need not be UTF-8.
  ///   - source: the file's name, for messages.
  /// - Throws: `LocalEnvError` with all mistakes of the text.
  public static func parse(_ bytes: [UInt8], source: String) throws(LocalEnvError) -> LocalEnvFile {
    var parser = LocalEnvParser(bytes, source: source)
    parser.parse()
    guard parser.problems.isEmpty else { throw LocalEnvError(parser.problems) }
    return LocalEnvFile(assignments: parser.assignments, warnings: warnings(on: parser.assignments))
  }

  /// What is to be said of the assignments of one file, in its order.
  static func warnings(on assignments: [Assignment]) -> [Warning] {
    var warnings: [Warning] = []
    var places: [RawString: TextPosition] = [:]
    for assignment in assignments {
      if let overridden = places.updateValue(assignment.position, forKey: assignment.name) {
        warnings.append(
          .assignedAgain(name: assignment.name, position: assignment.position, overridden: overridden))
      }
      for case .variable(let reference) in assignment.segments where reference.name != assignment.name {
        guard let assigned = places[reference.name] else { continue }
        warnings.append(
          .assignmentNotSeen(name: reference.name, position: reference.position, assigned: assigned))
      }
    }
    return warnings
  }
}
