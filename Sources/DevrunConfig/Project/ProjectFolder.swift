internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The folder of a project, which bounds the search for its configuration.
///
/// A search goes upwards from a folder to the project's root: the first folder that holds one of the files that version
/// control or a build tool keeps there. If there is no such folder, only the first one is searched: a file that someone
/// put in /tmp or / must not configure what runs below.
enum ProjectFolder {
  /// The names that mark a project's root.
  private static let markers: Set<String> = [
    ".git", ".hg", ".jj", ".svn", "Package.swift", "go.mod", "go.work", "package.json", "deno.json", "pom.xml",
    "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "build.sbt", "Cargo.toml",
    "pyproject.toml",
    "setup.py", "requirements.txt", "Pipfile", "Gemfile", "composer.json", "mix.exs", "rebar.config", "deps.edn",
    "project.clj", "pubspec.yaml", "stack.yaml", "build.zig", "dub.json", "CMakeLists.txt", "meson.build", "WORKSPACE",
    "MODULE.bazel",
  ]

  /// Ends of names that mark a project's root.
  private static let markerSuffixes = [".sln", ".slnx", ".csproj", ".fsproj", ".vbproj"]

  /// The path of the nearest file of a name, from a folder upwards to the project's root.
  ///
  /// - Parameters:
  ///   - name: the file's name.
  ///   - directory: the absolute path of the folder to begin with.
  static func find(_ name: String, from directory: String) -> String? { find([name], from: directory).first }

  /// The paths of those of several files that the nearest folder with any of them has, from a folder upwards to the
  /// project's root, in the order of the names.
  static func find(_ names: [String], from directory: String) -> [String] {
    var nearest: [String] = []
    var folder = directory
    while true {
      if nearest.isEmpty { nearest = present(names, in: folder) }
      if isRoot(folder) { return nearest }
      if folder == "/" || folder.isEmpty { break }
      folder = ConfigPath.folder(of: folder)
    }
    return present(names, in: directory)
  }

  private static func present(_ names: [String], in folder: String) -> [String] {
    names.map { ConfigPath.resolve($0, in: folder) }.filter(isReadable)
  }

  /// Whether something to read is there: a regular file, a pipe or the like, but no folder.
  private static func isReadable(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
  }

  /// Whether the folder is a project's root. A folder that cannot be listed is none.
  private static func isRoot(_ folder: String) -> Bool {
    guard let names = try? Directory.entries(of: RawString(folder)) else { return false }
    return names.map(\.description).contains { name in
      markers.contains(name) || markerSuffixes.contains(where: name.hasSuffix)
    }
  }
}
