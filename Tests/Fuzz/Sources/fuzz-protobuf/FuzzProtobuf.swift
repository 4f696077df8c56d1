import DevrunCore
@testable import DevrunKube

/// libFuzzer's entry: any bytes as an answer of the API server in protobuf.
///
/// They are read, or refused with an error in words. What was read can be written as JSON, and read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  do {
    guard let json = try KubernetesProtobuf.json(of: bytes) else { return 0 }
    precondition(json["kind"]?.string != nil)
    precondition((try? JSONValue(text: json.text)) == json)
  } catch {
    precondition(!error.words.isEmpty)
  }
  return 0
}
