import DevrunConfig
import DevrunCore
import Testing

/// Values with tokens shown as the parser understood them: `<volume NAME at PATH>`, `<service NAMESPACE NAME>`.
private func shown(_ segments: [LocalEnvFile.Segment]) -> String {
  segments.map { segment in
    switch segment {
    case .literal(let text): text.description
    case .volume(let volume): "<volume \(volume.pattern)\(volume.mountPath.map { " at \($0)" } ?? "")>"
    case .service(let service): "<service \(service.namespace ?? "-") \(service.name)>"
    }
  }.joined()
}

private func parse(_ text: String) throws -> LocalEnvFile {
  try LocalEnvFile.parse(Array(text.utf8), source: "azds-local.env")
}

@Suite("azds-local.env")
struct LocalEnvFileTests {
  @Test(
    "reads an assignment as a user of dotenv files expects",
    arguments: [
      ("A=b", "A", "b"), ("A=", "A", ""), ("A=   ", "A", ""), ("  A  =  b  ", "A", "b"), ("\tA\t=\tb\t", "A", "b"),
      ("export A=b", "A", "b"), ("export\t A = b", "A", "b"), ("export=b", "export", "b"),
      ("export = b", "export", "b"),
      ("exported=b", "exported", "b"), ("_a.B-9=b", "_a.B-9", "b"), ("A=b=c", "A", "b=c"),
      ("A=two words  here", "A", "two words  here"), ("A=b #c", "A", "b"), ("A=b\t# c", "A", "b"),
      ("A=b#c", "A", "b#c"),
      ("A=#b", "A", "#b"), ("A= #b", "A", ""), ("A=http://h/#frag", "A", "http://h/#frag"), ("A=it's", "A", "it's"),
      ("A=a \"b\" c", "A", "a \"b\" c"), ("A=C:\\new\\table", "A", "C:\\new\\table"), ("A=b\\", "A", "b\\"),
      ("A=''", "A", ""), ("A=\"\"", "A", ""), ("A='b'", "A", "b"), ("A=\"b\"", "A", "b"), ("A= 'b' ", "A", "b"),
      ("A='b' # c", "A", "b"), ("A='b'#c", "A", "b"), ("A=' b '", "A", " b "), ("A='a # b'", "A", "a # b"),
      ("A='a\\n\"$x\"'", "A", "a\\n\"$x\""), ("A='${volumes.x}'", "A", "${volumes.x}"), ("A='$$'", "A", "$$"),
      ("A=\"a\\nb\\tc\\\"d\\\\e\\$f\"", "A", "a\nb\tc\"d\\e$f"), ("A=\"C:\\dir\\x\"", "A", "C:\\dir\\x"),
      ("A=\"it's\"", "A", "it's"), ("A=\"a # b\"", "A", "a # b"), ("A=\"a\nb\"", "A", "a\nb"),
      ("A='a\n\nb'", "A", "a\n\nb"),
      ("A=\"a\r\nb\"", "A", "a\nb"), ("A=\"a\rb\"", "A", "a\rb"), ("A=grün", "A", "grün"), ("A=\"\\\\n\"", "A", "\\n"),
      ("A=\"\\${volumes.x}\"", "A", "${volumes.x}"), ("A=$$", "A", "$"), ("A=$$$$", "A", "$$"), ("A=$", "A", "$"),
      ("A=$HOME", "A", "$HOME"), ("A=$(cmd)", "A", "$(cmd)"), ("A=$${volumes.x}", "A", "${volumes.x}"),
      ("A=\"$${x}\"", "A", "${x}"), ("A=pa$$word", "A", "pa$word"), ("A=5 $ # price", "A", "5 $"),
    ])
  func assignment(text: String, name: String, value: String) throws {
    for ending in ["", "\n", "\r\n"] {
      let file = try parse(text + ending)
      try #require(file.assignments.count == 1)
      #expect(file.assignments[0].name.description == name)
      #expect(shown(file.assignments[0].segments) == value)
      #expect(file.warnings.isEmpty)
    }
  }

  @Test(
    "reads tokens",
    arguments: [
      ("${volumes.data}", "<volume data>"), ("${volumes.data}/sub/file", "<volume data>/sub/file"),
      ("a${volumes.data}b", "a<volume data>b"), ("${volumes.default-token-*}", "<volume default-token-*>"),
      ("${volumes.*}", "<volume *>"), ("${volumes.data|/etc/data}", "<volume data at /etc/data>"),
      ("${volumes.data|//etc//data/}", "<volume data at /etc/data>"),
      ("${volumes.data|/with space|bar}", "<volume data at /with space|bar>"),
      ("${volumes.data|/a # b}", "<volume data at /a # b>"), ("${services.web}", "<service - web>"),
      ("${services.shop.web}", "<service shop web>"), ("http://${services.web}:80/", "http://<service - web>:80/"),
      ("${services.a}${services.b}", "<service - a><service - b>"),
      ("${services.a} ${services.b}", "<service - a> <service - b>"),
      ("\"${services.web} # ${volumes.x}\"", "<service - web> # <volume x>"), ("${services.9p}", "<service - 9p>"),
      ("$$${services.web}", "$<service - web>"), ("${services.web} # not ${me}", "<service - web>"),
    ])
  func tokens(text: String, expected: String) throws {
    let file = try parse("A=\(text)\n")
    #expect(shown(file.assignments[0].segments) == expected)
  }

  @Test("skips empty lines, comments and a byte order mark")
  func skipped() throws {
    let text = "\u{feff}# first\n\n  \t\r\n  # $${ ' \" =\r\nA=1\n#last"
    let file = try parse(text)
    #expect(file.assignments.map(\.name) == ["A"])
    #expect(file.assignments[0].position == .init(line: 5, column: 1))
    #expect(try parse("\u{feff}A=1").assignments[0].position == .init(line: 1, column: 1))
    #expect(try parse("").assignments.isEmpty)
    #expect(try shown(parse("A=1\r").assignments[0].segments) == "1")
  }

  @Test("keeps values that are no UTF-8 to the byte")
  func rawBytes() throws {
    let file = try LocalEnvFile.parse(
      Array("A=".utf8) + [0xff, 0x80, 0x41] + Array("\nB=\"".utf8) + [0xc3, 0x22], source: "f")
    #expect(file.assignments[0].segments == [.literal(RawString([0xff, 0x80, 0x41]))])
    #expect(file.assignments[1].segments == [.literal(RawString([0xc3]))])
  }

  @Test("takes the last assignment of a name, and warns")
  func assignedAgain() throws {
    let file = try parse("A=1\nB=2\nA=3\nexport A='4'\n")
    #expect(file.assignments.map(\.name) == ["B", "A"])
    #expect(shown(file.assignments[1].segments) == "4")
    #expect(
      file.warnings.map(\.description) == [
        "azds-local.env:3:1: A is assigned again; its value of line 1 is not used",
        "azds-local.env:4:8: A is assigned again; its value of line 3 is not used",
      ])
  }

  @Test("gives tokens their places, in characters")
  func positions() throws {
    let file = try parse("# é\nC='ü'\nA=ü${volumes.x}\nB=\"a\n ${services.s}\"\n")
    #expect(file.volumeReferences.map(\.position) == [.init(line: 3, column: 4)])
    #expect(file.serviceReferences.map(\.position) == [.init(line: 5, column: 2)])
  }

  @Test(
    "tells what is wrong and where",
    arguments: [
      ("A", 1, 2, .missingEquals(name: "A")), ("A b=c", 1, 3, .missingEquals(name: "A")),
      ("export", 1, 7, .missingEquals(name: "export")), ("export A", 1, 9, .missingEquals(name: "A")),
      ("=b", 1, 1, .invalidName("=")), ("1A=b", 1, 1, .invalidName("1A")), (" A$=b", 1, 2, .invalidName("A$")),
      ("export 1=b", 1, 8, .invalidName("1")), ("é=b", 1, 1, .invalidName("é")),
      ("\"A\"=b", 1, 1, .invalidName("\"A\"")),
      ("A='b", 1, 3, .unterminatedQuote("'")), ("A= \"b\\\"", 1, 4, .unterminatedQuote("\"")),
      ("A='b'c", 1, 6, .textAfterQuote("c", openedInLine: 1)),
      ("A=\"b\nc\" d", 2, 4, .textAfterQuote("d", openedInLine: 1)), ("A=b\0", 1, 4, .nul),
      ("A=${volumes.x", 1, 3, .unterminatedToken), ("A=\"${volumes.x\" # }", 1, 4, .unterminatedToken),
      ("A=${volumes.x\nB=}", 1, 3, .unterminatedToken), ("A=${}", 1, 3, .unknownToken("", suggestion: nil)),
      ("A=${HOME}", 1, 3, .unknownToken("HOME", suggestion: nil)),
      ("A=b ${volume.x|/y}", 1, 5, .unknownToken("volume.x|/y", suggestion: "volumes.x|/y")),
      ("A=${service.x}", 1, 3, .unknownToken("service.x", suggestion: "services.x")),
      ("A=${Volumes.x}", 1, 3, .unknownToken("Volumes.x", suggestion: "volumes.x")),
      ("A=${volumes}", 1, 3, .unknownToken("volumes", suggestion: "volumes.NAME")),
      ("A=${ volumes.x}", 1, 3, .unknownToken(" volumes.x", suggestion: "volumes.x")),
      ("A=${volumes.}", 1, 3, .invalidVolumeName("")), ("A=${volumes.X}", 1, 3, .invalidVolumeName("X")),
      ("A=${volumes.a/b}", 1, 3, .invalidVolumeName("a/b")), ("A=${volumes.a.b}", 1, 3, .invalidVolumeName("a.b")),
      ("A=${volumes.|/x}", 1, 3, .invalidVolumeName("")), ("A=${volumes.x|}", 1, 3, .invalidMountPath("")),
      ("A=${volumes.x|y}", 1, 3, .invalidMountPath("y")), ("A=${volumes.x|/}", 1, 3, .invalidMountPath("/")),
      ("A=${volumes.x|/a/../b}", 1, 3, .invalidMountPath("/a/../b")),
      ("A=${volumes.x|/a/./b}", 1, 3, .invalidMountPath("/a/./b")),
      ("A=${services.}", 1, 3, .invalidServiceName("")), ("A=${services.a.}", 1, 3, .invalidServiceName("a.")),
      ("A=${services.a.b.c}", 1, 3, .invalidServiceName("a.b.c")), ("A=${services.A}", 1, 3, .invalidServiceName("A")),
      ("A=${services.a*}", 1, 3, .invalidServiceName("a*")), ("A=${services.-a}", 1, 3, .invalidServiceName("-a")),
    ] as [(String, Int, Int, LocalEnvError.Reason)])
  func mistakes(text: String, line: Int, column: Int, reason: LocalEnvError.Reason) {
    let problem = LocalEnvError.Problem(position: .init(line: line, column: column), reason: reason)
    #expect(throws: LocalEnvError(source: "azds-local.env", problems: [problem])) { try parse(text) }
    #expect(throws: LocalEnvError(source: "azds-local.env", problems: [problem])) { try parse(text + "\nB=1\n") }
  }

  @Test("refuses a token that is no UTF-8")
  func rawToken() throws {
    let bytes = Array("A=${volumes.x|/".utf8) + [0xff] + Array("}".utf8)
    let error = try #require(throws: LocalEnvError.self) { try LocalEnvFile.parse(bytes, source: "f") }
    #expect(error.problems.map(\.position) == [.init(line: 1, column: 3)])
  }

  @Test("tells all mistakes at once, also those after a quote that is never closed")
  func allMistakes() throws {
    let text = "A=\"${nope} never closed\nB=${volume.x} ${services.Y}\n\n2C=d\nD=${services.ok}\nE\n"
    let error = try #require(throws: LocalEnvError.self) { try parse(text) }
    #expect(
      error.description == """
        azds-local.env has 5 mistakes
        azds-local.env:1:3: the quote " is never closed
        azds-local.env:2:3: '${volume.x}' is not known; known are ${volumes.NAME}, ${volumes.NAME|/path}, \
        ${services.NAME} and ${services.NAMESPACE.NAME}; did you mean ${volumes.x}?
        azds-local.env:2:15: 'Y' names no service; write NAME or NAMESPACE.NAME, of lower-case letters, digits and '-'
        azds-local.env:4:1: '2C' is no name of a variable; a name begins with a letter or '_' and goes on \
        with letters, digits, '_', '.' and '-'
        azds-local.env:6:2: '=' is missing after 'E'; write E=VALUE, or # in front of a comment
        """)
  }
}
