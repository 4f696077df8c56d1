import DevrunConfig
import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

private typealias Variable = (name: RawString, value: RawString)

private func variables(_ list: [Variable]) -> EnvironmentVariables {
  EnvironmentVariables(list.map { EnvironmentVariables.Variable(name: $0.name, value: $0.value) })
}

private func text(_ format: EnvironmentFormat, _ environment: [Variable], masking: Set<RawString> = []) -> String {
  String(decoding: format.text(of: variables(environment), masking: masking).bytes, as: UTF8.self)
}

/// Values of random bytes, most of them such that mean something to some reader. The same in every run.
private func randomValues(_ count: Int) -> [RawString] {
  let letters = Array("a'\"\\$`\n\r\t #={}()!*~;&|<>?[]^-é€😀\u{85}".utf8) + [0x01, 0x7f, 0x80, 0xc3, 0xe2, 0xf0, 0xff]
  var state: UInt64 = 88_172_645_463_325_252
  func next() -> Int {
    // xorshift64 (Marsaglia, 2003)
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state >> 33)
  }
  return (0..<count).map { _ in
    RawString((0..<next() % 12).map { _ in letters[next() % letters.count] })
  }
}

@Suite("Environments as text")
struct EnvironmentFormatTests {
  @Test(
    arguments: [
      ("", "", "''", #""""#), ("abc", "abc", "abc", #""abc""#), ("a b", "'a b'", "'a b'", #""a b""#),
      ("/a:b@c,d=e%f+g.h-i_j", "/a:b@c,d=e%f+g.h-i_j", "/a:b@c,d=e%f+g.h-i_j", #""/a:b@c,d=e%f+g.h-i_j""#),
      ("it's", #""it's""#, #"'it'\''s'"#, #""it's""#), (#"a"b"#, #"'a"b'"#, #"'a"b'"#, #""a\"b""#),
      ("$x`y`", "'$x`y`'", "'$x`y`'", #""$x`y`""#), (#"a\n"#, #"'a\n'"#, #"'a\n'"#, #""a\\n""#),
      ("a\nb", #""a\nb""#, #"$'a\nb'"#, #""a\nb""#), ("a\r\nb\t'", #""a\r\nb\t'""#, #"$'a\r\nb\t\''"#, #""a\r\nb\t'""#),
      ("'$\"\\", #""'\$\"\\""#, #"''\''$"\'"#, #""'$\"\\""#), ("#x", "'#x'", "'#x'", ##""#x""##),
      ("\u{1b}[0m", "'\u{1b}[0m'", #"$'\033[0m'"#, #""\u001b[0m""#), ("grün", "'grün'", "'grün'", #""grün""#),
      ("~", "'~'", "'~'", #""~""#), ("${volumes.x}", "'${volumes.x}'", "'${volumes.x}'", #""${volumes.x}""#),
    ])
  func `A value is written with the quotes that each output format needs`(
    value: String, dotenv: String, shell: String, json: String
  ) {
    let environment: [Variable] = [("A", RawString(value))]
    #expect(text(.dotenv, environment) == "A=\(dotenv)\n")
    #expect(text(.shell, environment) == "export A=\(shell)\n")
    #expect(text(.json, environment) == "{\n  \"A\": \(json)\n}\n")
  }

  @Test func `Variables are written in order, with secret values masked`() {
    let environment: [Variable] = [("A", "secret"), ("B", "2"), ("C", "it's")]
    #expect(text(.dotenv, environment, masking: ["A"]) == "A='***'\nB=2\nC=\"it's\"\n")
    #expect(text(.shell, environment, masking: ["A", "C"]) == "export A='***'\nexport B=2\nexport C='***'\n")
    #expect(text(.json, environment, masking: ["A"]) == "{\n  \"A\": \"***\",\n  \"B\": \"2\",\n  \"C\": \"it's\"\n}\n")
    #expect(EnvironmentFormat.allCases.map { text($0, []) } == ["", "{}\n", ""])
  }

  @Test func `A variable name that the output format cannot express is left out and reported`() {
    let environment: [Variable] = [("A", "1"), ("BASH_FUNC_f%%", "() { :; }"), ("a.b", "2"), ("a-b", "3"), ("", "4")]
    let omitted = EnvironmentFormat.allCases.map { $0.text(of: variables(environment)).omitted.map(\.description) }
    #expect(omitted == [["BASH_FUNC_f%%", ""], [], ["BASH_FUNC_f%%", "a.b", "a-b", ""]])
    #expect(text(.dotenv, environment) == "A=1\na.b=2\na-b=3\n")
    #expect(text(.shell, environment) == "export A=1\n")
  }

  @Test func `Bytes that are not UTF-8 become lone surrogates in JSON and octal escapes for a shell`() {
    let environment: [Variable] = [("A", RawString([0x61, 0xff, 0xc3, 0xa9, 0xe2, 0x82, 0x31]))]
    #expect(text(.json, environment) == "{\n  \"A\": \"a\\udcff\u{e9}\\udce2\\udc821\"\n}\n")
    #expect(text(.shell, environment) == "export A=$'a\\377\\303\\251\\342\\2021'\n")
    #expect(EnvironmentFormat.dotenv.text(of: variables(environment)).bytes.contains(0xff))
  }

  @Test func `The parser of azds-local.env reads the dotenv format back byte for byte`() throws {
    let environment = randomValues(5_000).enumerated().map { (name: RawString("V\($0)"), value: $1) }
    let file = try AzdsLocalEnv.parse(EnvironmentFormat.dotenv.text(of: variables(environment)).bytes, source: "f")
    #expect(file.warnings.isEmpty)
    let values = try file.environment(volumes: [], variables: [:], volumePath: { _ in "" }, serviceAddress: { _ in "" })
    #expect(values.map(\.name) == environment.map(\.name))
    #expect(values.map(\.value) == environment.map(\.value))
  }

  @Test func `Bash evaluates the shell format to the same bytes`() throws {
    let environment = randomValues(500).enumerated().map { (name: RawString("V\($0)"), value: $1) }
    let script = EnvironmentFormat.shell.text(of: variables(environment)).bytes + Array("exec env -0\n".utf8)
    let entries = try output(of: ["/bin/bash", "--norc", "-s"], input: script).split(separator: 0)
    let values = Dictionary(uniqueKeysWithValues: entries.compactMap(Self.variable))
    for (name, value) in environment { #expect(values[name] == value) }
  }

  @Test func `Python reads the JSON format back byte for byte with its surrogate escapes`() throws {
    let environment = randomValues(2_000).enumerated().map { (name: RawString("V\($0)"), value: $1) }
    let program = """
      import json, os, sys
      for name, value in json.load(sys.stdin.buffer).items():
          sys.stdout.buffer.write(os.fsencode(name) + b'=' + os.fsencode(value) + b'\\0')
      """
    let entries = try output(
      of: ["/usr/bin/env", "PYTHONUTF8=1", "python3", "-c", program],
      input: EnvironmentFormat.json.text(of: variables(environment)).bytes)
    let values = entries.split(separator: 0).compactMap(Self.variable)
    #expect(values.map(\.0) == environment.map(\.name))
    #expect(values.map(\.1) == environment.map(\.value))
  }

  private static func variable(_ entry: Data) -> (RawString, RawString)? {
    guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { return nil }
    return (RawString(entry[..<equals]), RawString(entry[entry.index(after: equals)...]))
  }

  /// What a program prints that gets the input from a file.
  private func output(of command: [String], input: [UInt8]) throws -> Data {
    try TemporaryFolder.with { folder in
      let path = "\(folder.path)/input"
      try Data(input).write(to: URL(fileURLWithPath: path))
      let process = Process()
      process.executableURL = URL(fileURLWithPath: command[0])
      process.arguments = Array(command.dropFirst())
      process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      let pipe = Pipe()
      process.standardOutput = pipe
      try process.run()
      let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      return output
    }
  }
}
