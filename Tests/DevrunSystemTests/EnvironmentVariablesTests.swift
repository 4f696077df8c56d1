import DevrunCore
import DevrunSystem
import Foundation
import Testing

@Suite("Variables of an environment")
struct EnvironmentVariablesTests {
  @Test func `Variables keep their order, and a new one is appended`() {
    var variables = EnvironmentVariables(entries: ["B=1", "A=2", "C=3"])
    variables.set("D", to: "4", from: .option)
    variables.set("A", to: "5", from: .file)
    #expect(variables.entries == ["B=1", "A=5", "C=3", "D=4"])
    #expect(variables.sorted().entries == ["A=5", "B=1", "C=3", "D=4"])
  }

  @Test func `The first of two entries with one name counts`() {
    let variables = EnvironmentVariables(entries: ["A=first", "B=", "A=second"])
    #expect(variables.entries == ["A=first", "B="])
    #expect(variables["A"] == "first")
    let literal: EnvironmentVariables = ["A": "first", "A": "second"]
    #expect(literal["A"] == "first" && literal.count == 1)
  }

  @Test(
    arguments: [
      ("A=b", "A", "b"), ("A=", "A", ""), ("A=b=c", "A", "b=c"), ("=A=b", "=A", "b"), ("==", "=", ""),
    ] as [(RawString, RawString, RawString)])
  func `An entry is split at the first equals sign after its first byte`(
    entry: RawString, name: RawString, value: RawString
  ) throws {
    let variable = try #require(EnvironmentVariables.Variable(entry: entry))
    #expect(variable.name == name && variable.value == value)
    #expect(variable.entry == entry)
  }

  @Test(arguments: ["", "A", "=", "=A"] as [RawString])
  func `An entry without a name or an equals sign is left out`(entry: RawString) {
    #expect(EnvironmentVariables.Variable(entry: entry) == nil)
    #expect(EnvironmentVariables(entries: [entry, "B=1"]).entries == ["B=1"])
  }

  @Test func `Bytes that are not text are kept`() {
    let entry = RawString([0x41, 0xff, 0x3d, 0xfe, 0x0a, 0x80])
    let variables = EnvironmentVariables(entries: [entry])
    #expect(variables.entries == [entry])
    #expect(variables[RawString([0x41, 0xff])] == RawString([0xfe, 0x0a, 0x80]))
  }

  @Test func `Each variable has the origin of its last value`() {
    var variables = EnvironmentVariables(entries: ["A=1", "B=2"], origin: .container)
    variables.set("B", to: "3", from: .option)
    #expect(variables.variable(named: "A")?.origin == .container)
    #expect(variables.variable(named: "B")?.origin == .option)
    #expect(variables.variable(named: "C") == nil)
    #expect(EnvironmentVariables(entries: ["A=1"]).variable(named: "A")?.origin == .shell)
  }

  @Test func `Variables are decoded as they were encoded`() throws {
    var variables = EnvironmentVariables(entries: ["Z=1", RawString([0x41, 0xff, 0x3d, 0xfe])])
    for (name, origin) in zip(["M", "L", "K", "J"] as [RawString], EnvironmentVariables.Origin.allCases) {
      variables.set(name, to: "", from: origin)
    }
    let decoded = try JSONDecoder().decode(EnvironmentVariables.self, from: JSONEncoder().encode(variables))
    #expect(decoded == variables)
    #expect(decoded.entries == variables.entries && decoded.map(\.origin) == variables.map(\.origin))
  }

  @Test func `The variables of this process are those that getenv finds`() throws {
    let variables = EnvironmentVariables.current
    #expect(variables["PATH"]?.description == ProcessInfo.processInfo.environment["PATH"])
    #expect(variables.count == Set(variables.map(\.name)).count)
  }
}
