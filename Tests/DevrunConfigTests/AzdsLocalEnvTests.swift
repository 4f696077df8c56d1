import DevrunConfig
import DevrunCore
import Testing

/// Values with tokens shown as the parser understood them: `<volume NAME/PART at PATH>`, `<service NAMESPACE NAME>`,
/// `<env NAME or TEXT>`, `<endpoint HOST>`.
func shown(_ segments: [LocalEnvFile.Segment]) -> String {
  segments.map { segment in
    switch segment {
    case .literal(let text): text.description
    case .volume(let volume):
      "<volume \(volume.pattern)\(volume.part.map { "/\($0)" } ?? "")\(volume.mountPath.map { " at \($0)" } ?? "")>"
    case .service(let service): "<service \(service.namespace ?? "-") \(service.name)>"
    case .variable(let variable): "<env \(variable.name)\(variable.fallback.map { " or \($0)" } ?? "")>"
    case .endpoint(let endpoint): "<endpoint \(endpoint.host)>"
    }
  }.joined()
}

/// A place in `azds-local.env`.
func place(_ line: Int, _ column: Int, in source: String = "azds-local.env") -> TextPosition {
  TextPosition(source: source, mark: .init(line: line, column: column))
}

private func parse(_ text: String) throws -> LocalEnvFile {
  try AzdsLocalEnv.parse(Array(text.utf8), source: "azds-local.env")
}

@Suite("azds-local.env")
struct AzdsLocalEnvTests {
  @Test(
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
      ("A=\"a\r\nb\"", "A", "a\nb"), ("A=\"a\\r\\nb\"", "A", "a\r\nb"), ("A='a\r\nb'", "A", "a\nb"),
      ("A=b\u{a0}#c", "A", "b\u{a0}#c"), ("A=`b`", "A", "`b`"), ("A=$((1))", "A", "$((1))"), ("A=a\\ b", "A", "a\\ b"),
      ("A=\"\\a\"", "A", "\\a"), ("A=\"b\" \t# c", "A", "b"), ("A=\"\n\"", "A", "\n"), ("A='\\'", "A", "\\"),
      ("A==", "A", "="), ("a1=b", "a1", "b"), ("A=b;c", "A", "b;c"), ("A=b & c", "A", "b & c"), ("A= = ", "A", "="),
      ("A=\"a\rb\"", "A", "a\rb"), ("A=grün", "A", "grün"), ("A=\"\\\\n\"", "A", "\\n"),
      ("A=\"\\${volumes.x}\"", "A", "${volumes.x}"), ("A=$$", "A", "$"), ("A=$$$$", "A", "$$"), ("A=$", "A", "$"),
      ("A=$HOME", "A", "$HOME"), ("A=$(cmd)", "A", "$(cmd)"), ("A=$${volumes.x}", "A", "${volumes.x}"),
      ("A=\"$${x}\"", "A", "${x}"), ("A=pa$$word", "A", "pa$word"), ("A=5 $ # price", "A", "5 $"),
    ])
  func `An assignment in azds-local.env is read as in other dotenv files`(
    text: String, name: String, value: String
  ) throws {
    for ending in ["", "\n", "\r\n"] {
      let file = try parse(text + ending)
      try #require(file.assignments.count == 1)
      #expect(file.assignments[0].name.description == name)
      #expect(shown(file.assignments[0].segments) == value)
      #expect(file.warnings.isEmpty)
    }
  }

  @Test(
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
      ("${volumes.data/sub}", "<volume data/sub>"), ("${volumes.data/}", "<volume data>"),
      ("${volumes.data/sub/*.crt|/etc/certs}", "<volume data/sub/*.crt at /etc/certs>"),
      ("${volumes.d*//a b//*/}/x", "<volume d*/a b/*>/x"), ("${volumes.data/..data}", "<volume data/..data>"),
      ("${volumes.data/A.b_c|/x}", "<volume data/A.b_c at /x>"), ("${volumes.data/|/x}", "<volume data at /x>"),
      ("${env.HOME}", "<env HOME>"), ("${env.a.b-c}", "<env a.b-c>"), ("${env.X}${env.Y}", "<env X><env Y>"),
      ("${env.X:-}", "<env X or >"), ("${env.X:-a b # c}", "<env X or a b # c>"), ("${env.X:-a:-b}", "<env X or a:-b>"),
      ("${env.X:-$${y}", "<env X or $${y>"), ("${env.X:-'y'}", "<env X or 'y'>"),
      ("\"${env.X:-it's \\n}\"", "<env X or it's \\n>"), ("${env.X:-${env.Y}}", "<env X or ${env.Y>}"),
      ("\"${services.web} # ${volumes.x}\"", "<service - web> # <volume x>"), ("${services.9p}", "<service - 9p>"),
      ("$$${services.web}", "$<service - web>"), ("${services.web} # not ${me}", "<service - web>"),
    ])
  func `Tokens for volumes, services and variables in azds-local.env are recognised`(
    text: String, expected: String
  ) throws {
    let file = try parse("A=\(text)\n")
    #expect(shown(file.assignments[0].segments) == expected)
  }

  @Test func `Empty lines, comments and a byte order mark in azds-local.env are skipped`() throws {
    let text = "\u{feff}# first\n\n  \t\r\n  # $${ ' \" =\r\nA=1\n#last"
    let file = try parse(text)
    #expect(file.assignments.map(\.name) == ["A"])
    #expect(file.assignments[0].position == place(5, 1))
    #expect(try parse("\u{feff}A=1").assignments[0].position == place(1, 1))
    #expect(try parse("").assignments.isEmpty)
    #expect(try shown(parse("A=1\r").assignments[0].segments) == "1")
  }

  @Test func `A value in azds-local.env that is not UTF-8 is kept byte for byte`() throws {
    let file = try AzdsLocalEnv.parse(
      Array("A=".utf8) + [0xff, 0x80, 0x41] + Array("\nB=\"".utf8) + [0xc3, 0x22], source: "f")
    #expect(file.assignments[0].segments == [.literal(RawString([0xff, 0x80, 0x41]))])
    #expect(file.assignments[1].segments == [.literal(RawString([0xc3]))])
  }

  @Test func `The last assignment of a variable counts, and each repetition causes a warning`() throws {
    let file = try parse("A=1\nB=2\nA=3\nexport A='4'\n")
    #expect(file.assignments.map(\.name) == ["B", "A"])
    #expect(shown(file.assignments[1].segments) == "4")
    #expect(
      file.warnings.map(\.description) == [
        "azds-local.env:3:1: A is assigned again; its value of line 1 is not used",
        "azds-local.env:4:8: A is assigned again; its value of line 3 is not used",
      ])
  }

  @Test func `A token for a variable that an earlier line assigns causes a warning, except in its own value`() throws {
    let file = try parse("A=1\nB=${env.A}\nPATH=/x:${env.PATH}\nC=${env.D}\nD=1\n")
    #expect(
      file.warnings.map(\.description) == [
        "azds-local.env:2:3: ${env.A} is the value of the container or of this shell, not that of line 1"
      ])
  }

  @Test func `The place of a token in azds-local.env is counted in characters, not in bytes`() throws {
    let file = try parse("# é\nC='ü'\nA=ü${volumes.x}\nB=\"a\n ${services.s}\"\n")
    #expect(file.volumeReferences.map(\.position) == [place(3, 4)])
    #expect(file.serviceReferences.map(\.position) == [place(5, 2)])
  }

  @Test(
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
      ("A=${HOME}", 1, 3, .unknownToken("HOME", suggestion: "env.HOME")),
      ("A=${HOME:-/x}", 1, 3, .unknownToken("HOME:-/x", suggestion: "env.HOME:-/x")),
      ("A=${HOME/x}", 1, 3, .unknownToken("HOME/x", suggestion: nil)),
      ("A=${ENV.X}", 1, 3, .unknownToken("ENV.X", suggestion: "env.X")),
      ("A=${evn.X}", 1, 3, .unknownToken("evn.X", suggestion: "env.X")),
      ("A=${env}", 1, 3, .unknownToken("env", suggestion: "env.NAME")),
      ("A=${env.}", 1, 3, .invalidVariable("")), ("A=${env.1X}", 1, 3, .invalidVariable("1X")),
      ("A=${env.X:=y}", 1, 3, .invalidVariable("X:=y")), ("A=${env.X:?y}", 1, 3, .invalidVariable("X:?y")),
      ("A=${env.:-y}", 1, 3, .invalidVariable("")), ("A=${env. X}", 1, 3, .invalidVariable(" X")),
      ("A=\"${env.X:-\"y\"}\"", 1, 4, .unterminatedToken),
      ("A=b ${volume.x|/y}", 1, 5, .unknownToken("volume.x|/y", suggestion: "volumes.x|/y")),
      ("A=${service.x}", 1, 3, .unknownToken("service.x", suggestion: "services.x")),
      ("A=${Volumes.x}", 1, 3, .unknownToken("Volumes.x", suggestion: "volumes.x")),
      ("A=${volumes}", 1, 3, .unknownToken("volumes", suggestion: "volumes.NAME")),
      ("A=${ volumes.x}", 1, 3, .unknownToken(" volumes.x", suggestion: "volumes.x")),
      ("A=${volumes.}", 1, 3, .invalidVolumeName("")), ("A=${volumes.X}", 1, 3, .invalidVolumeName("X")),
      ("A=${volumes./b}", 1, 3, .invalidVolumeName("")),
      ("A=${volumes.a/../b}", 1, 3, .invalidVolumePart("../b")),
      ("A=${volumes.a/b/./c}", 1, 3, .invalidVolumePart("b/./c")),
      ("A=${volumes.a/b|c}", 1, 3, .invalidMountPath("c")), ("A=${volumes.a/..|/c}", 1, 3, .invalidVolumePart("..")),
      ("A=${volumes.a.b}", 1, 3, .invalidVolumeName("a.b")),
      ("A=${volumes.|/x}", 1, 3, .invalidVolumeName("")), ("A=${volumes.x|}", 1, 3, .invalidMountPath("")),
      ("A=${volumes.x|y}", 1, 3, .invalidMountPath("y")), ("A=${volumes.x|/}", 1, 3, .invalidMountPath("/")),
      ("A=${volumes.x|/a/../b}", 1, 3, .invalidMountPath("/a/../b")),
      ("A=${volumes.x|/a/./b}", 1, 3, .invalidMountPath("/a/./b")),
      ("A=${services.}", 1, 3, .invalidServiceName("")), ("A=${services.a.}", 1, 3, .invalidServiceName("a.")),
      ("A=${services.a.b.c}", 1, 3, .invalidServiceName("a.b.c")), ("A=${services.A}", 1, 3, .invalidServiceName("A")),
      ("A=${services.a*}", 1, 3, .invalidServiceName("a*")), ("A=${services.-a}", 1, 3, .invalidServiceName("-a")),
    ] as [(String, Int, Int, LocalEnvError.Reason)])
  func `A mistake in azds-local.env is reported with its place`(
    text: String, line: Int, column: Int, reason: LocalEnvError.Reason
  ) {
    let problem = LocalEnvError.Problem(position: place(line, column), reason: reason)
    #expect(throws: LocalEnvError([problem])) { try parse(text) }
    #expect(throws: LocalEnvError([problem])) { try parse(text + "\nB=1\n") }
  }

  @Test func `A token in azds-local.env that is not UTF-8 is refused`() throws {
    let bytes = Array("A=${volumes.x|/".utf8) + [0xff] + Array("}".utf8)
    let error = try #require(throws: LocalEnvError.self) { try AzdsLocalEnv.parse(bytes, source: "f") }
    #expect(error.problems.map(\.position) == [place(1, 3, in: "f")])
  }

  @Test func `All mistakes in azds-local.env are reported at once, also those after an unclosed quote`() throws {
    let text = "A=\"${nope} never closed\nB=${volume.x} ${services.Y}\n\n2C=d\nD=${services.ok}\nE\n"
    let error = try #require(throws: LocalEnvError.self) { try parse(text) }
    #expect(
      error.description == """
        azds-local.env has 5 mistakes
        azds-local.env:1:3: the quote " is never closed
        azds-local.env:2:3: '${volume.x}' is not known; known are ${volumes.NAME}, ${volumes.NAME/PART}, \
        either with |/path, ${services.NAME}, ${services.NAMESPACE.NAME}, \
        ${env.NAME} and ${env.NAME:-text}; did you mean ${volumes.x}?
        azds-local.env:2:15: 'Y' names no service; write NAME or NAMESPACE.NAME, of lower-case letters, digits and '-'
        azds-local.env:4:1: '2C' is no name of a variable; a name begins with a letter or '_' and goes on \
        with letters, digits, '_', '.' and '-'
        azds-local.env:6:2: '=' is missing after 'E'; write E=VALUE, or # in front of a comment
        """)
  }
}
