import DevrunConfig
import DevrunCore
import DevrunYAML
import Testing

@Suite("Base64 in a kubeconfig")
struct Base64Tests {
  private func authority(_ text: String) throws -> [UInt8]? {
    try access(kubeconfig(cluster: "certificate-authority-data: \"\(text)\"")).certificateAuthority
  }

  @Test(
    arguments: [
      ("LS0tLS1CRUdJTiBY", "-----BEGIN X"), ("LS0tLS1CRUdJTiBYWQ==", "-----BEGIN XY"),
      ("LS0tLS1CRUdJTiBYWVo=", "-----BEGIN XYZ"), ("LS0tLS1CRUdJTiA/Pz8+", "-----BEGIN ???>"),
      // White space, and bits behind the last byte.
      (#" LS0t LS1C\tRUdJ\nTiBY\r\n"#, "-----BEGIN X"), (#"L S0tLS1CRUdJTiBYWQ=\n="#, "-----BEGIN XY"),
      ("LS0tLS1CRUdJTiBYWR==", "-----BEGIN XY"),
    ])
  func `Data of a kubeconfig is decoded from base64, in which white space is skipped`(
    text: String, expected: String
  ) throws {
    #expect(try authority(text) == Array(expected.utf8))
  }

  @Test(
    arguments: [
      // Padding that is missing, too much or not at the end.
      "LS0tLS1CRUdJTiBYWQ", "LS0tLS1CRUdJTiBYWQ=", "LS0tLS1CRUdJTiBYWVo", "LS0tLS1CRUdJTiBYWVo==",
      "LS0tLS1CRUdJTiBY=", "LS0tLS1CRUdJTiBYW===", "LS0tLS1CRUdJTiBY====", "LS0tLS1CRUdJTiA=LS0t",
      "LS0tLS1CRUdJTiA=Y===",
      "LS0tLS1CRUdJTi=Y", "=LS0tLS1CRUdJTiB", "=", "====",
      // Letters of other alphabets, and no white space.
      "LS0tLS1CRUdJTiB-", "LS0tLS1CRUdJTiB_", "LS0tLS1CRUdJTiBé", "LS0tLS1CRUdJTi,Y", #"LS0tLS1CRUdJTiBY\v"#,
      #"LS0tLS1CRUdJTiBY\0\0\0\0"#, #"LS0tLS1CRUdJTiBY\u00a0"#,
    ])
  func `Data of a kubeconfig that is not strict base64 is refused`(text: String) throws {
    let error = try #require(throws: YAMLError.self) { try authority(text) }
    #expect(error.message.what.hasSuffix("certificate-authority-data is not valid base64"))
  }
}
