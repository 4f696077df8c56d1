import DevrunConfig
import DevrunCore
import DevrunSystem

/// libFuzzer's entry: any bytes as an `azds-local.env`.
///
/// They are read or refused with mistakes that have places in the text. What was read, printed as a dotenv file and
/// read again, is the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
  do {
    let file = try AzdsLocalEnv.parse(bytes, source: "f")
    precondition(!file.warnings.contains { $0.description.isEmpty })
    try checkRoundTrip(file)
  } catch let error as LocalEnvError {
    precondition(!error.problems.isEmpty && !error.description.isEmpty)
    let marks = error.problems.map { $0.position.mark ?? .init(line: 0, column: 0) }
    precondition(marks.allSatisfy { (1...lines).contains($0.line) && (1...size + 1).contains($0.column) })
  } catch {
    preconditionFailure("\(error)")
  }
  return 0
}

private func checkRoundTrip(_ file: LocalEnvFile) throws {
  // Every volume there is, but for two at one path; every variable, some of them empty.
  let volumes = file.volumeReferences.map { $0.pattern.text.filter { $0 != "*" } + "-" }
  let variables = EnvironmentVariables(
    file.variableReferences.map { .init(name: $0.name, value: RawString($0.name.bytes.dropFirst())) })
  let environment: EnvironmentVariables
  do {
    environment = try values(of: file, volumes: volumes, variables: variables)
  } catch is LocalEnvError {
    return
  }
  for format in EnvironmentFormat.allCases {
    let text = format.text(of: environment)
    precondition(format == .shell || text.omitted.isEmpty)
    guard format == .dotenv else { continue }
    let again = try values(of: AzdsLocalEnv.parse(text.bytes, source: "g"), volumes: [], variables: [:])
    precondition(again == environment)
  }
}

private func values(
  of file: LocalEnvFile, volumes: [String], variables: EnvironmentVariables
) throws -> EnvironmentVariables {
  EnvironmentVariables(
    try file.environment(
      volumes: volumes, variables: variables, volumePath: { "/run/\($0.volume)" },
      serviceAddress: { "127.0.0.2 \($0.name)" }))
}
