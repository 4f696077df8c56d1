internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The folder of a project, which bounds the search for its configuration.
///
/// A search goes upwards from a folder to the project's root: the first folder that holds one of the files that version
/// control or a build tool keeps there. If there is no such folder, only the first one is searched: a file in /tmp or /
/// must not configure what runs below.
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

  /// The paths of those of several files that the nearest folder with any of them has, from a folder upwards to the
  /// project's root, in the order of the names.
  ///
  /// Markers and files of others do not count (`ProjectTrust`). A search that would end with such a file fails, because
  /// a run without its configuration may act on another cluster.
  ///
  /// - Parameters:
  ///   - names: the names of the files.
  ///   - directory: the absolute path of the folder to begin with.
  ///   - trust: whose files count.
  ///   - option: the option that names such a file, for the error.
  /// - Throws: `ProjectTrustError`
  static func find(
    _ names: [String], from directory: String, trust: ProjectTrust, option: String? = nil
  ) throws(ProjectTrustError) -> [String] {
    func trusted(_ paths: [String]) throws(ProjectTrustError) -> [String] {
      for path in paths {
        guard let doubt = trust.doubt(about: path, .found) else { continue }
        throw trust.error(about: path, doubt, option: option)
      }
      return paths
    }
    var nearest: [String] = []
    var belowForeignRoot: [String] = []
    var folder = directory
    while true {
      if nearest.isEmpty { nearest = present(names, in: folder) }
      switch root(folder, trust) {
      case .trusted: return try trusted(nearest)
      case .foreign(let doubt, inFolderOfOthers: false):
        if let path = nearest.first { throw trust.error(about: path, doubt, option: option) }
      case .foreign(_, inFolderOfOthers: true):
        if belowForeignRoot.isEmpty { belowForeignRoot = nearest }
      case nil: break
      }
      if folder == "/" || folder.isEmpty { break }
      folder = ConfigPath.folder(of: folder)
    }
    let here = try trusted(present(names, in: directory))
    // Somebody else's marker leads no search to a file, unless the user allows all files there.
    return here.isEmpty ? try trusted(belowForeignRoot).filter(trust.isSafe) : here
  }

  private static func present(_ names: [String], in folder: String) -> [String] {
    names.map { ConfigPath.resolve($0, in: folder) }.filter(isReadable)
  }

  /// Whether something to read is there: a regular file, a pipe or the like, but no folder.
  private static func isReadable(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
  }

  /// A project's root.
  private enum Root {
    /// This user's, or root's.
    case trusted
    /// The marker is somebody else's, or in a folder that is or that others may write to.
    case foreign(ProjectTrustError.Doubt, inFolderOfOthers: Bool)
  }

  /// What root the folder is; `nil` for none. A folder that cannot be listed is none.
  private static func root(_ folder: String, _ trust: ProjectTrust) -> Root? {
    guard let names = try? Directory.entries(of: RawString(folder)) else { return nil }
    let found = names.map(\.description).filter { name in
      markers.contains(name) || markerSuffixes.contains(where: name.hasSuffix)
    }
    guard !found.isEmpty else { return nil }
    let doubts = found.compactMap { trust.doubt(aboutEntry: $0, in: folder) }
    guard doubts.count == found.count, let doubt = doubts.first else { return .trusted }
    return .foreign(doubt, inFolderOfOthers: trust.doubt(aboutFolder: folder) != nil)
  }
}
