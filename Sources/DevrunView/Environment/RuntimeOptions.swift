internal import DevrunCore

// Theory of operation: JAVA_OPTS and NODE_OPTIONS hold many options, and most of them mean the same on any machine. A
// path in them is no reason to lose them all: Java starts without the folder of -XX:HeapDumpPath, and the app looks for
// -Dlog.dir itself. So only those options count without which the runtime does not start, or that make it load what only
// the image has.

/// The options that a variable hands to a runtime, such as `-javaagent:/a.jar -Xmx1g`.
enum RuntimeOptions: Sendable {
  /// Those of the Java virtual machine, and of the tools whose start scripts hand theirs to it.
  case java
  /// Those of Node.
  case node

  /// What an option needs, so that the runtime starts with it.
  enum Need: Hashable, Sendable {
    /// One of several paths.
    case path([String])
    /// A file that can be written.
    case output(String)
    /// An agent or a module that has no absolute path: the image has it somewhere.
    case name(String)
  }

  /// What the options need, in their order.
  func needs(of value: String) -> [Need] {
    let words = words(in: value)
    return words.indices.flatMap { index -> [Need] in
      let next = index + 1 < words.count ? words[index + 1] : ""
      return self == .java ? Self.needsOfJava(words[index], next: next) : Self.needsOfNode(words[index], next: next)
    }
  }

  /// The words of the value, without the quotes around them or around parts of them.
  func words(in value: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var rest = value[...]
    while let character = rest.popFirst() {
      if let open = quote, character == open {
        quote = nil
      } else if quote == "\"", character == "\\", let next = rest.first, next == "\"" || next == "\\" {
        word?.append(rest.removeFirst())
      } else if quote == nil, character == "\"" || (character == "'" && self == .java) {
        quote = character
        word = word ?? ""
      } else if quote == nil, character.isWhitespace {
        if let word { words.append(word) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    return words + (word.map { [$0] } ?? [])
  }

  // MARK: Java

  /// The agents that each Java has.
  private static let agentsOfJava: Set<Substring> = ["jdwp", "instrument", "hprof"]
  private static let lists: Set<String> = [
    "-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "-Djava.class.path",
    "-Djava.library.path", "-Djava.ext.dirs", "-Djava.endorsed.dirs",
  ]
  private static let files: Set<String> = [
    "-jar", "-XX:Flags", "-XX:VMOptionsFile", "-Djava.home", "-Djava.io.tmpdir", "-Dorg.gradle.java.home",
    "-Dgradle.user.home", "-Dmaven.repo.local", "-Dsbt.boot.directory", "-Dsbt.global.base", "-Dsbt.ivy.home",
  ]

  private static func needsOfJava(_ word: String, next: String) -> [Need] {
    if word.hasPrefix("@"), !word.hasPrefix("@@") { return file(word.dropFirst()) }
    if let agent = word.after("-javaagent:") ?? word.after("-agentpath:") {
      let (path, options) = agent.parted(at: "=")
      return file(path) + ImageVariables.paths(in: String(options)).map { .path([$0]) }
    }
    if let agent = word.after("-agentlib:") ?? word.after("-Xrun") {
      let name = agent.prefix { $0 != "=" && $0 != ":" }
      return agentsOfJava.contains(name) ? [] : [.name(String(name))]
    }
    if word.hasPrefix("-Xbootclasspath") { return list(word.parted(at: ":").rest) }
    if let log = word.after("-Xloggc:") { return output(log) }
    if let log = word.after("-Xlog:") { return output(log.parted(at: ":").rest.prefix { $0 != ":" }) }
    if let recording = word.after("-XX:StartFlightRecording") {
      return recording.dropFirst().split(separator: ",").flatMap { output($0.after("filename=") ?? "") }
    }
    let (option, attached) = word.parted(at: "=")
    let name = String(option)
    // An option of one dash has its value after a blank, unless it is one of -D or -XX.
    let argument = word.contains("=") ? attached : next[...]
    if name == "--patch-module" { return list(argument.parted(at: "=").rest) }
    if lists.contains(name) { return list(argument) }
    let isStore = name.hasPrefix("-Djavax.net.ssl.") && name.hasSuffix("Store")
    // Java's own management agent ends the process if its files are missing.
    let isManagement = name.hasPrefix("-Dcom.sun.management.") && name.hasSuffix(".file")
    guard files.contains(name) || isStore || isManagement, argument.hasPrefix("/") else { return [] }
    return [.path([String(argument)])]
  }

  /// A file that stops the runtime if it is missing, with whatever path.
  private static func file(_ path: Substring) -> [Need] {
    path.hasPrefix("/") ? [.path([String(path)])] : [.name(String(path))]
  }

  /// The absolute paths of a class path or a module path. `/a/*` stands for the files of `/a`.
  private static func list(_ paths: Substring) -> [Need] {
    paths.split(separator: ":").filter { $0.hasPrefix("/") }.map { path in
      .path([path.hasSuffix("/*") ? String(path.dropLast(2)) : String(path)])
    }
  }

  private static func output(_ text: Substring) -> [Need] {
    let path = text.after("file=") ?? text
    return path.hasPrefix("/") ? [.output(String(path))] : []
  }

  // MARK: Node

  private static let modules: Set<String> = ["-r", "--require", "--import", "--loader", "--experimental-loader"]
  private static let nodeFiles: Set<String> = ["--snapshot-blob", "--experimental-policy"]

  private static func needsOfNode(_ word: String, next: String) -> [Need] {
    let (option, attached) = word.parted(at: "=")
    // Node takes one for the other.
    let name = String(option.map { $0 == "_" ? "-" : $0 })
    let argument = word.contains("=") ? attached : next[...]
    if nodeFiles.contains(name) { return argument.hasPrefix("/") ? [.path([String(argument)])] : [] }
    guard modules.contains(name), !argument.isEmpty else { return [] }
    if argument.hasPrefix("node:") || argument.hasPrefix("data:") { return [] }
    let url = argument.after("file://").flatMap { PercentEncoding.decode($0.utf8) }
    let path = url.map { String(decoding: $0, as: UTF8.self) } ?? String(argument)
    guard path.hasPrefix("/") else { return [.name(path)] }
    return [.path(["", ".js", ".json", ".node"].map { path + $0 })]
  }
}

extension StringProtocol where SubSequence == Substring {
  /// What follows a beginning; `nil` if the text has another.
  fileprivate func after(_ beginning: String) -> Substring? {
    hasPrefix(beginning) ? dropFirst(beginning.count) : nil
  }

  /// What stands before the first separator, and what follows it.
  fileprivate func parted(at separator: Character) -> (first: Substring, rest: Substring) {
    let first = prefix { $0 != separator }
    return (first, dropFirst(first.count + 1))
  }
}
