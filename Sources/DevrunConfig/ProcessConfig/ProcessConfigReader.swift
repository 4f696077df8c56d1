internal import DevrunCore
internal import DevrunYAML

/// Reads the values of a `KubernetesLocalProcessConfig.yaml`, and goes on after a mistake, so that all are found.
struct ProcessConfigReader {
  private var assignments: [LocalEnvFile.Assignment] = []
  private var mounts: [LocalEnvFile.VolumeReference] = []
  private var problems: [LocalEnvError.Problem] = []

  private let bytes: [UInt8]
  private let source: String
  private let places: TokenPlaces

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - bytes: the text.
  ///   - source: the file's name, for the places of mistakes.
  /// - Throws: `LocalEnvError` with all mistakes, in the order of the text.
  static func read(_ bytes: [UInt8], source: String) throws(LocalEnvError) -> LocalEnvFile {
    var reader = ProcessConfigReader(bytes, source: source)
    reader.read()
    guard reader.problems.isEmpty else {
      throw LocalEnvError(
        reader.problems.sorted { left, right in
          left.position.mark ?? .init(line: 0, column: 0) < right.position.mark ?? .init(line: 0, column: 0)
        })
    }
    return LocalEnvFile(assignmentsOfOneFile: reader.assignments, mounts: reader.mounts)
  }

  private init(_ bytes: [UInt8], source: String) {
    self.bytes = bytes
    self.source = source
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
    let nameField = try field.required("name")
    let name = try nameField.text()
    let position = position(nameField.node.mark)
    let pattern: Wildcard
    do throws(LocalEnvError.Reason) {
      pattern = try VolumeSyntax.name(name)
    } catch {
      return record(error, at: nameField.node.mark)
    }
    // As in Bridge to Kubernetes, an entry without a path has no effect.
    guard let pathField = members["localPath"], !pathField.node.isNull else { return }
    let path = try pathField.text()
    guard !path.isEmpty else { return }
    guard !Self.isWindowsPath(path) else { return record(.processConfig(.windowsPath(path)), at: pathField.node.mark) }
    guard !mounts.contains(where: { $0.pattern == pattern }) else {
      return record(.processConfig(.volumeNamedTwice(name)), at: nameField.node.mark)
    }
    do throws(LocalEnvError.Reason) {
      let mountPath = try VolumeSyntax.mountPath(path)
      mounts.append(LocalEnvFile.VolumeReference(pattern: pattern, mountPath: mountPath, position: position))
    } catch {
      record(error, at: pathField.node.mark)
    }
  }

  private mutating func variable(_ field: YAMLField) throws(YAMLError) {
    let members = try members(of: field, allowed: ["name", "value"])
    let nameField = try field.required("name")
    let name = try nameField.text()
    if name.isEmpty || name.contains("=") || name.contains("\0") {
      record(.processConfig(.invalidVariableName(name)), at: nameField.node.mark)
    }
    guard let value = members["value"], !value.node.isNull else {
      assignments.append(.init(name: RawString(name), segments: [], position: position(nameField.node.mark)))
      return
    }
    let segments = segments(of: try value.text(), at: value.node.mark)
    assignments.append(.init(name: RawString(name), segments: segments, position: position(nameField.node.mark)))
  }

  private mutating func feature(_ field: YAMLField) throws(YAMLError) {
    let name = try field.text()
    let known = nearest(to: name, in: ["ManagedIdentity", "Probes"])
    let isKnown = known?.lowercased() == name.lowercased()
    record(
      .processConfig(.unsupportedFeature(isKnown ? known ?? name : name, nearest: known)), at: field.node.mark)
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

  /// Whether the path is like `C:\data`, `c:/data` or `\\server\data`.
  private static func isWindowsPath(_ path: String) -> Bool {
    let letters = Array(path)
    return path.hasPrefix("\\") || letters.count > 1 && letters[0].isASCII && letters[0].isLetter && letters[1] == ":"
  }
}
