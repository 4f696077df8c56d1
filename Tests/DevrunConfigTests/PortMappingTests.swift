import DevrunConfig
import DevrunCore
import Testing

@Suite("Port mappings")
struct PortMappingTests {
  @Test(arguments: [("8080", 8080, 8080), ("80:8080", 80, 8080), ("1:65535", 1, 65535), ("080", 80, 80)])
  func `A port mapping is a remote port with an optional local port`(
    text: String, remote: UInt16, local: UInt16
  ) throws {
    #expect(try PortMapping(parsing: text) == PortMapping(remote: remote, local: local))
  }

  @Test(
    arguments: [
      ("", .malformed("")), (":", .malformed(":")), ("80:", .malformed("80:")), (":80", .malformed(":80")),
      ("1:2:3", .malformed("1:2:3")), ("http", .malformed("http")), ("+80", .malformed("+80")),
      ("-1", .malformed("-1")), ("80 ", .malformed("80 ")), ("8٠", .malformed("8٠")),
      ("0", .outOfRange("0", port: "0")), ("80:65536", .outOfRange("80:65536", port: "65536")),
    ] as [(String, PortMappingError)])
  func `A malformed or out-of-range port mapping is refused`(text: String, error: PortMappingError) {
    #expect(throws: error) { try PortMapping(parsing: text) }
  }

  @Test(arguments: ["8080", "80:8080"])
  func `A port mapping is written as it is read`(text: String) throws {
    #expect(try PortMapping(parsing: text).description == text)
  }

  @Test func `A remote port that is to lead to two local ports is refused, and one named twice counts once`() throws {
    let mappings = try ["80:8080", "443", "80:8080"].map(PortMapping.init(parsing:))
    #expect(try PortMapping.unambiguous(mappings).map(\.description) == ["80:8080", "443"])
    let double = try ["80:8080", "80:9090"].map(PortMapping.init(parsing:))
    #expect(throws: PortMappingError.ambiguous(80, 8080, 9090)) { try PortMapping.unambiguous(double) }
  }
}
