import DevrunCore
import DevrunYAML
import Testing

/// The node tree of a text.
private func yaml(_ text: String, limits: YAMLLimits = YAMLLimits()) throws -> YAMLNode {
  try YAML.parse(Array(text.utf8), source: "file.yaml", limits: limits)
}

extension YAMLNode {
  /// The value of a key; `nil` if the node is no mapping or has no such key.
  fileprivate subscript(key: String) -> YAMLNode? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == key }?.value
  }
}

@Suite("YAML reader")
struct YAMLTests {
  @Test(
    arguments: [
      ("", .null), ("~", .null), ("null", .null), ("NULL", .null), ("nUll", "nUll"), ("''", ""), ("'null'", "null"),
      ("true", true), ("Yes", true), ("on", true), ("y", true), ("False", false), ("NO", false), ("off", false),
      ("tRue", "tRue"), ("\"true\"", "true"), ("'on'", "on"),
      ("0", 0), ("42", 42), ("-7", -7), ("+7", 7), ("0x1F", 31), ("-0x1f", -31), ("0o17", 15), ("017", 15),
      ("0b101", 5),
      ("1_000", 1000), ("9223372036854775807", 9_223_372_036_854_775_807), ("'42'", "42"), ("0x", "0x"), ("0xg", "0xg"),
      ("--1", "--1"), ("0x-1", "0x-1"), ("-x", "-x"), ("+", "+"),
      ("1.5", .double(1.5)), ("-.5", .double(-0.5)), (".5e1", .double(5)), ("1e3", .double(1000)), ("5.", .double(5)),
      ("08", .double(8)), ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("1e", "1e"), (".", "."),
      ("1.2.3", "1.2.3"), (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"), ("1:30", "1:30"),
      ("2001-12-14", "2001-12-14"), ("10.0.0.1", "10.0.0.1"), ("8080:80", "8080:80"), ("=", "="),
      ("!!str 42", "42"), ("!!str true", "true"), ("!!int '42'", 42), ("!!float 1", .double(1)), ("!!bool 'yes'", true),
      ("!!null ''", .null), ("! 42", "42"), ("!custom 42", "42"), ("!!int word", "word"),
    ] as [(String, JSONValue)])
  func `Plain YAML scalars get the types that kubectl gives them, and quoted ones are strings`(
    text: String, expected: JSONValue
  ) throws {
    #expect(try yaml("key: \(text)").json == ["key": expected])
  }

  @Test func `A YAML scalar keeps its style while quoting, escapes and folding are undone`() throws {
    let node = try yaml(
      """
      plain: some text
        goes on
      single: 'it''s'
      double: "tab\\there \\u00e9\\x41"
      literal: |
        one
          two
      folded: >-
        one
        two
      """)
    let expected: [(String, YAMLNode.Scalar)] = [
      ("plain", .init("some text goes on")), ("single", .init("it's", style: .singleQuoted)),
      ("double", .init("tab\there éA", style: .doubleQuoted)), ("literal", .init("one\n  two\n", style: .literal)),
      ("folded", .init("one two", style: .folded)),
    ]
    for (key, scalar) in expected { #expect(node[key]?.content == .scalar(scalar)) }
  }

  @Test func `Each YAML value has a mark with its line and its column in characters`() throws {
    let node = try yaml("a:\n  - x\n  - {é: y, z: w}\n")
    guard case .sequence(let elements) = try #require(node["a"]).content else {
      Issue.record("no list")
      return
    }
    #expect(elements[0].mark == TextMark(line: 2, column: 5))
    #expect(elements[1]["é"]?.mark == TextMark(line: 3, column: 9))
    #expect(elements[1]["z"]?.mark == TextMark(line: 3, column: 15))
  }

  @Test func `The keys of a YAML mapping keep their order`() throws {
    guard case .mapping(let entries) = try yaml("z: 1\na: 2\nm: 3\n").content else {
      Issue.record("no mapping")
      return
    }
    #expect(entries.map(\.key) == ["z", "a", "m"])
  }

  @Test(arguments: ["", "# nothing\n", "---\n", "---\n...\n"])
  func `A YAML text without content is null`(text: String) throws {
    #expect(try yaml(text).isNull)
  }

  @Test func `A YAML alias is replaced by the value of its anchor`() throws {
    let node = try yaml("base: &b {x: [1, 2]}\ncopy: *b\nword: &w text\nagain: *w\nb2: &b 5\nlast: *b\n")
    #expect(
      node.json == [
        "base": ["x": [1, 2]], "copy": ["x": [1, 2]], "word": "text", "again": "text", "b2": 5, "last": 5,
      ])
  }

  @Test(
    arguments: [
      ("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n", ["x": 1, "y": 3]),
      ("a: &a {x: 1, y: 2}\nb:\n  y: 3\n  <<: *a\n", ["x": 1, "y": 3]),
      ("a: &a {x: 1}\nc: &c {x: 2, z: 4}\nb:\n  <<: [*a, *c]\n", ["x": 1, "z": 4]),
      ("b:\n  <<: {x: 1}\n", ["x": 1]), ("b:\n  '<<': 1\n", ["<<": 1]),
    ] as [(String, JSONValue)])
  func `A YAML merge key adds members, but own keys and earlier mappings take precedence`(
    text: String, expected: JSONValue
  ) throws {
    #expect(try yaml(text)["b"]?.json == expected)
  }

  @Test(
    arguments: [
      ("a: 1\n---\nb: 2\n", 2, 1, .severalDocuments), ("a: 1\n---\n", 2, 1, .severalDocuments),
      ("a: 1\n...\n--- b\n", 3, 1, .severalDocuments),
      ("a: 1\nb: 2\na: 3\n", 3, 1, .duplicateKey("a", first: .init(line: 1, column: 1))),
      ("x: {a: 1, \"a\": 2}\n", 1, 11, .duplicateKey("a", first: .init(line: 1, column: 5))),
      ("a: *b\n", 1, 4, .unknownAnchor("b", nearest: nil)),
      ("a: &base 1\nb: *bsae\n", 2, 4, .unknownAnchor("bsae", nearest: "base")),
      ("a: &a\n  b: *a\n", 2, 6, .recursiveAlias("a")), ("? [a]\n: 1\n", 1, 3, .keyIsNoScalar),
      ("{a: 1}: 2\n", 1, 1, .keyIsNoScalar), ("a:\n  <<: word\n", 2, 7, .invalidMerge),
      ("a:\n  <<: [word]\n", 2, 8, .invalidMerge),
    ] as [(String, Int, Int, YAMLError.Reason)])
  func `A mistake in the structure of a YAML text is reported with its place`(
    text: String, line: Int, column: Int, reason: YAMLError.Reason
  ) {
    let expected = YAMLError(source: "file.yaml", mark: .init(line: line, column: column), reason: reason)
    #expect(throws: expected) { try yaml(text) }
  }

  @Test(
    arguments: [
      ("a: b: c\n", 1, 5), ("a: [1, 2\n", 2, 1), ("a: 'x\n", 2, 1), ("\ta: 1\n", 1, 1), ("a: 1\n b: 2\n", 2, 3),
      ("a: @x\n", 1, 4), ("a: \u{1}\n", 1, 4), ("é: \u{7}", 1, 4), ("x: 1\nb: {\n", 3, 1),
    ])
  func `A YAML syntax error is reported with its place`(text: String, line: Int, column: Int) throws {
    let error = try #require(throws: YAMLError.self) { try yaml(text) }
    #expect(error.mark == TextMark(line: line, column: column))
    guard case .syntax = error.reason else {
      Issue.record("\(error.reason)")
      return
    }
    #expect(error.description.hasPrefix("file.yaml:\(line):\(column): not valid YAML"))
  }

  @Test func `A YAML text that is not UTF-8 is refused with the place of the bytes`() throws {
    let error = try #require(throws: YAMLError.self) {
      try YAML.parse(Array("a: 1\nb: ".utf8) + [0xff], source: "file.yaml")
    }
    #expect(error.mark == TextMark(line: 2, column: 4))
  }

  @Test func `A YAML text above the size limit is refused`() {
    let error = YAMLError(source: "file.yaml", mark: nil, reason: .tooLarge(limit: 9))
    #expect(throws: error) { try yaml("key: value", limits: .init(bytes: 9)) }
    #expect(throws: Never.self) { try yaml("key: value", limits: .init(bytes: 10)) }
  }

  @Test func `YAML nesting above the depth limit is refused, also if it comes from aliases`() throws {
    func nested(_ levels: Int) -> String {
      String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
    #expect(throws: Never.self) { try yaml(nested(100)) }
    #expect(throws: YAMLError(source: "file.yaml", mark: .init(line: 1, column: 101), reason: .tooDeep(limit: 100))) {
      try yaml(nested(101))
    }
    // Each step wraps the one before: ten levels by ten aliases.
    let steps = (1...10).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined()
    #expect(throws: Never.self) { try yaml("a0: &a0 [x]\n" + steps, limits: .init(depth: 12)) }
    let error = try #require(throws: YAMLError.self) { try yaml("a0: &a0 [x]\n" + steps, limits: .init(depth: 11)) }
    #expect(error.reason == .tooDeep(limit: 11))
    #expect(error.mark?.line == 11)
  }

  @Test func `A small YAML text whose aliases expand to too many values is refused`() throws {
    var text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
    for level in 1...8 {
      let nine = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(nine)]\n"
    }
    let error = try #require(throws: YAMLError.self) { try yaml(text) }
    #expect(error.reason == .tooManyAliases(limit: 100_000))
  }
}
