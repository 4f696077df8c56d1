/// Paths as they are written in configuration files.
enum ConfigPath {
  /// The path as seen from a folder: unchanged if it is absolute.
  static func resolve(_ path: String, in folder: String) -> String {
    if path.hasPrefix("/") { return path }
    var rest = path[...]
    while rest.hasPrefix("./") { rest = rest.dropFirst(2).drop { $0 == "/" } }
    return folder.hasSuffix("/") ? folder + rest : "\(folder)/\(rest)"
  }

  /// An absolute path without `.`, `..` and doubled slashes, as it is written: links are not followed.
  static func normal(_ path: String) -> String {
    var names: [Substring] = []
    for name in path.split(separator: "/") where name != "." {
      if name == ".." { _ = names.popLast() } else { names.append(name) }
    }
    return "/" + names.joined(separator: "/")
  }

  /// The folder that holds an absolute path; `/` for the root.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }
}
