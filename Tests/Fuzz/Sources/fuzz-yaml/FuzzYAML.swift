import DevrunConfig
import DevrunCore
import DevrunYAML

/// libFuzzer's entry: any bytes as YAML and as each file that is written in it.
///
/// They are read, or refused with an error in words. The JSON of what was read can be read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  let limits = YAMLLimits(bytes: 1 << 20, depth: 40, aliasedNodes: 1_000)
  tolerating {
    let node = try YAML.parse(bytes, source: "f", limits: limits)
    let text = node.json.text
    let again = try JSONValue(text: text)
    precondition(again.text == text)
    // The files' own readers have wider limits, which would only cost time here.
    tolerating { _ = try KubernetesLocalProcessConfig.parse(bytes, source: "f").volumes(in: []) }
    tolerating { _ = try ProjectFile.parse(bytes, source: "/f") }
  }
  return 0
}

/// Runs what may refuse its input with words, and must not fail in any other way.
private func tolerating(_ body: () throws -> Void) {
  do {
    try body()
  } catch let error as any UserFacingError {
    precondition(!error.description.isEmpty)
  } catch {
    preconditionFailure("\(error)")
  }
}
