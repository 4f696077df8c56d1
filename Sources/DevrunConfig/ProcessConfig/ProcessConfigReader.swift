internal import DevrunCore
internal import DevrunYAML

/// Reads the values of a `KubernetesLocalProcessConfig.yaml`, and goes on after a mistake, so that all are found.
struct ProcessConfigReader {
  private var assignments: [LocalEnvFile.Assignment] = []
  private var mounts: [LocalEnvFile.VolumeReference] = []
  private var problems: [LocalEnvError.Problem] = []
  private var warnings: [LocalEnvFile.Warning] = []

  private let bytes: [UInt8]
  private let source: String
  private let folder: String
  private let places: TokenPlaces

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - bytes: the text.
  ///   - source: the file's name, for the places of mistakes.
  ///   - folder: the absolute path of the file's folder.
  /// - Throws: `LocalEnvError` with all mistakes, in the order of the text.
  static func read(_ bytes: [UInt8], source: String, folder: String) throws(LocalEnvError) -> LocalEnvFile {
    var reader = ProcessConfigReader(bytes, source: source, folder: folder)
    reader.read()
    guard reader.problems.isEmpty else {
      throw LocalEnvError(
        reader.problems.sorted { left, right in
          left.position.mark ?? .init(line: 0, column: 0) < right.position.mark ?? .init(line: 0, column: 0)
        })
    }
    return LocalEnvFile(
      assignmentsOfOneFile: reader.assignments, mounts: reader.mounts, warnings: reader.warnings)
  }

  private init(_ bytes: [UInt8], source: String, folder: String) {
    self.bytes = bytes
    self.source = source
    self.folder = folder
    self.places = TokenPlaces(bytes)
  }

  private mutating func read() {
    collecting { (reader) throws(YAMLError) in
      let root = try YAMLField(parsing: reader.bytes, source: reader.source)
      let members = try reader.members(of: root, allowed: ["version", "env", "volumeMounts", "enableFeatures"])
      reader.version(members["version"], root: root)
      // The mounts come first wherever they stand: the tokens refer to them.
      for field in reader.elements(of: members["volumeMounts"]) {
        reader.collecting { (reader) throws(YAMLError) in try reader.mount(field) }
      }
      for field in reader.elements(of: members["env"]) {
        reader.collecting { (reader) throws(YAMLError) in try reader.variable(field) }
      }
      for field in reader.elements(of: members["enableFeatures"]) {
        reader.collecting { (reader) throws(YAMLError) in try reader.feature(field) }
      }
    }
  }

  private mutating func version(_ field: YAMLField?, root: YAMLField) {
    guard let field, !field.node.isNull else {
      return record(.processConfig(.missingVersion), at: root.node.mark)
    }
    collecting { (reader) throws(YAMLError) in
      let version = try field.text()
      if version != "0.1" { reader.record(.processConfig(.unknownVersion(version)), at: field.node.mark) }
    }
  }

  private mutating func mount(_ field: YAMLField) throws(YAMLError) {
    let members = try members(of: field, allowed: ["name", "localPath"])
    // A mistake in one of the two hides none in the other.
    var path: (text: String, mark: TextMark)?
    collecting { (reader) throws(YAMLError) in path = try reader.localPath(members["localPath"]) }
    let nameField = try field.required("name")
    let name = try nameField.text()
    let pattern: Wildcard
    do throws(LocalEnvError.Reason) {
      pattern = try VolumeSyntax.name(name)
    } catch {
      // No volume has such a name. A token with it is a mistake; an entry that nothing uses has no effect.
      return warnings.append(.unusableVolume(name: name, position: position(nameField.node.mark)))
    }
    // As in Bridge to Kubernetes, an entry without a path has no effect.
    guard let path else { return }
    guard !mounts.contains(where: { $0.pattern == pattern }) else {
      return record(.processConfig(.volumeNamedTwice(name)), at: nameField.node.mark)
    }
    mounts.append(
      .init(
        pattern: pattern, mountPath: path.text, position: position(nameField.node.mark),
        pathPosition: position(path.mark)))
  }

  /// The absolute path that a `localPath` means; `nil` if there is none, or if it is none, which is recorded.
  private mutating func localPath(_ field: YAMLField?) throws(YAMLError) -> (text: String, mark: TextMark)? {
    guard let field, !field.node.isNull else { return nil }
    let path = try field.text()
    guard !path.isEmpty else { return nil }
    do throws(LocalEnvError.Reason) {
      if VolumeSyntax.isWindowsPath(path) { throw .windowsPath(path) }
      if path.contains("\0") { throw .invalidMountPath(path) }
      // Of an absolute path, what looks like a step upwards is more likely a mistake.
      let isRelative = !path.hasPrefix("/")
      let absolute = isRelative ? ConfigPath.normal(ConfigPath.resolve(path, in: folder)) : path
      return (try VolumeSyntax.mountPath(absolute), field.node.mark)
    } catch {
      record(error, at: field.node.mark)
      return nil
    }
  }

  private mutating func variable(_ field: YAMLField) throws(YAMLError) {
    let members = try members(of: field, allowed: ["name", "value"])
    // A mistake in one of the two hides none in the other.
    var segments: [LocalEnvFile.Segment] = []
    if let value = members["value"], !value.node.isNull {
      collecting { (reader) throws(YAMLError) in
        let text = try value.text()
        segments = reader.segments(of: text, at: value.node.mark)
        if let token = ForeignToken.first(ofLocalEnvIn: text) {
          reader.warnings.append(
            .foreignToken(token.text, position: reader.position(value.node.mark), instead: token.instead))
        }
      }
    }
    let nameField = try field.required("name")
    let name = try nameField.text()
    if name.isEmpty || name.contains("=") || name.contains("\0") {
      record(.processConfig(.invalidVariableName(name)), at: nameField.node.mark)
    }
    assignments.append(.init(name: RawString(name), segments: segments, position: position(nameField.node.mark)))
  }

  private mutating func feature(_ field: YAMLField) throws(YAMLError) {
    record(.processConfig(.unsupportedFeature(try field.text())), at: field.node.mark)
  }

  private mutating func segments(of text: String, at mark: TextMark) -> [LocalEnvFile.Segment] {
    guard !text.contains("\0") else {
      record(.nul, at: mark)
      return []
    }
    var segments: [LocalEnvFile.Segment] = []
    var literal = ""
    var rest = text[...]
    var tokens = 0
    while let opening = rest.firstRange(of: "$(") {
      let place = places.place(ofToken: tokens, after: mark)
      tokens += 1
      literal += rest[..<opening.lowerBound]
      rest = rest[opening.upperBound...]
      if literal.hasSuffix("$") {
        literal += "("
        continue
      }
      guard let closing = rest.firstIndex(of: ")") else {
        record(.processConfig(.unterminatedToken), at: place)
        return []
      }
      do throws(LocalEnvError.Reason) {
        let segment = try ProcessConfigToken.parse(String(rest[..<closing]), at: position(place), mounts: mounts)
        if !literal.isEmpty { segments.append(.literal(RawString(literal))) }
        literal = ""
        segments.append(segment)
      } catch {
        record(error, at: place)
      }
      rest = rest[rest.index(after: closing)...]
    }
    literal += rest
    if !literal.isEmpty { segments.append(.literal(RawString(literal))) }
    return segments
  }

  /// The members of a mapping by name. Unknown keys are mistakes.
  private mutating func members(of field: YAMLField, allowed: [String]) throws(YAMLError) -> [String: YAMLField] {
    var result: [String: YAMLField] = [:]
    for member in try field.members() {
      if allowed.contains(member.key) {
        result[member.key] = member.value
      } else {
        let guess = nearest(to: member.key, in: allowed)
        record(.yaml(.unknownKey(member.key, allowed: allowed, nearest: guess)), at: member.mark)
      }
    }
    return result
  }

  private mutating func elements(of field: YAMLField?) -> [YAMLField] {
    var elements: [YAMLField] = []
    if let field { collecting { (_) throws(YAMLError) in elements = try field.elements() } }
    return elements
  }

  /// Takes what the body throws as one more mistake.
  private mutating func collecting(_ body: (inout ProcessConfigReader) throws(YAMLError) -> Void) {
    do {
      try body(&self)
    } catch {
      problems.append(.init(position: .init(source: source, mark: error.mark), reason: .yaml(error.reason)))
    }
  }

  private mutating func record(_ reason: LocalEnvError.Reason, at mark: TextMark) {
    problems.append(LocalEnvError.Problem(position: position(mark), reason: reason))
  }

  private func position(_ mark: TextMark) -> TextPosition {
    TextPosition(source: source, mark: mark)
  }
}
