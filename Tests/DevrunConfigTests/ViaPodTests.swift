import DevrunConfig
import DevrunCore
import DevrunSystem
import Testing

@Suite("What is reached from the pod's place")
struct ViaPodTests {
  private static func network(_ text: String) throws -> ViaPodRule.Place {
    .network(try #require(IPNetwork(text)))
  }

  @Test(
    arguments: [
      ("10.1.2.3", "10.1.2.3/32", []), ("10.20.0.0/16", "10.20.0.0/16", []),
      ("10.20.0.0/16:5432", "10.20.0.0/16", [5432]), ("169.254.169.254:80,443", "169.254.169.254/32", [80, 443]),
      ("fd00::1", "fd00::1/128", []), ("fd00::/64", "fd00::/64", []), ("[fd00::1]:8126", "fd00::1/128", [8126]),
      ("[fd00::/64]:8126", "fd00::/64", [8126]), ("[fd00::1]", "fd00::1/128", []), ("0.0.0.0/0", "0.0.0.0/0", []),
    ] as [(String, String, Set<UInt16>)])
  func `An address or a network is read, with ports behind it or without`(
    text: String, network: String, ports: Set<UInt16>
  ) throws {
    let rule = try ViaPodRule(parsing: text)
    #expect(rule == ViaPodRule(try Self.network(network), ports: ports))
  }

  @Test(
    arguments: [
      ("db.example.com", "db.example.com", []), ("DB.Example.com:1433", "db.example.com", [1433]),
      ("my_host:1,2", "my_host", [1, 2]), ("db.example.com.:1433", "db.example.com", [1433]), ("Db.", "db", []),
      ("10-1-2-3.example", "10-1-2-3.example", []),
    ] as [(String, String, Set<UInt16>)])
  func `A host is read by its name in any letter case`(text: String, host: String, ports: Set<UInt16>) throws {
    #expect(try ViaPodRule(parsing: text) == ViaPodRule(.host(host), ports: ports))
  }

  @Test(
    arguments: [
      ("", .malformed("")), (":80", .malformed(":80")), ("10.1.2", .malformed("10.1.2")),
      ("10.1.2.300", .malformed("10.1.2.300")), ("10.0.0.0/33", .malformed("10.0.0.0/33")),
      ("10.0.0.0/", .malformed("10.0.0.0/")), ("a b", .malformed("a b")), ("http://a", .malformed("http://a")),
      ("a:1:2", .malformed("a:1:2")), ("[fd00::1", .malformed("[fd00::1")), ("[a]:80", .malformed("[a]:80")),
      ("[fd00::1]80", .malformed("[fd00::1]80")), ("*.example.com", .wildcard("*.example.com")),
      ("10.1.*:80", .wildcard("10.1.*:80")), ("a..", .malformed("a..")), (".", .malformed(".")),
      ("a:", .invalidPort("a:", port: "")), ("a:0", .invalidPort("a:0", port: "0")),
      ("a:80,", .invalidPort("a:80,", port: "")), ("a:65536", .invalidPort("a:65536", port: "65536")),
      ("a:+80", .invalidPort("a:+80", port: "+80")), ("[fd00::1]:x", .invalidPort("[fd00::1]:x", port: "x")),
    ] as [(String, ViaPodError)])
  func `What is no host, address or network is refused`(text: String, error: ViaPodError) {
    #expect(throws: error) { try ViaPodRule(parsing: text) }
  }

  @Test(
    arguments: [
      ("localhost:3500", [3500]), ("LOCALHOST", []), ("a.localhost", []), ("localhost.:3500", [3500]),
      ("127.0.0.1:1,2", [1, 2]),
      ("127.0.0.0/8", []), ("127.1.0.0/16", []), ("::1", []), ("[::1]:80", [80]), ("0.0.0.0", []),
    ] as [(String, [UInt16])])
  func `This machine's localhost is refused, and the option for the pod's is named`(text: String, ports: [UInt16]) {
    let error = ViaPodError.loopback(text, ports: ports)
    #expect(throws: error) { try ViaPodRule(parsing: text) }
    #expect(error.message.remedy?.contains(ports.first.map { "--pod-port \($0)" } ?? "--pod-port PORT") == true)
  }

  private static let variables: EnvironmentVariables = ["NODE_IP": "10.9.8.7", "EMPTY": "", "PORT": "8126"]

  @Test(
    arguments: [
      ("${env.NODE_IP}", "10.9.8.7/32", []), ("${env.NODE_IP}:${env.PORT}", "10.9.8.7/32", [8126]),
      ("${env.EMPTY:-10.0.0.1}:80", "10.0.0.1/32", [80]), ("${env.NONE:-10.0.0.1}", "10.0.0.1/32", []),
      ("10.0.0.${env.NONE:-0}/24", "10.0.0.0/24", []),
    ] as [(String, String, Set<UInt16>)])
  func `Variables stand for their values, and a text for a variable that is missing or empty`(
    text: String, network: String, ports: Set<UInt16>
  ) throws {
    let rule = try ViaPodText(parsing: text).rule(Self.variables)
    #expect(rule == ViaPodRule(try Self.network(network), ports: ports))
  }

  @Test(
    arguments: [
      ("${env.NODE_IP", .invalidToken("${env.NODE_IP", token: "${env.NODE_IP")),
      ("${services.a}", .invalidToken("${services.a}", token: "${services.a}")),
      ("${NODE_IP}", .invalidToken("${NODE_IP}", token: "${NODE_IP}")),
      ("${env.}", .invalidToken("${env.}", token: "${env.}")), ("10.1.2", .malformed("10.1.2")),
    ] as [(String, ViaPodError)])
  func `A mistake that needs no variable to be seen is found at once`(text: String, error: ViaPodError) {
    #expect(throws: error) { try ViaPodText(parsing: text) }
  }

  @Test(
    arguments: [
      ("${env.NODE_OP}", .unknownVariable("${env.NODE_OP}", name: "NODE_OP", nearest: "NODE_IP")),
      (
        "${env.EMPTY}:80",
        .expanded("${env.EMPTY}:80", what: "':80' is no host, address or network", remedy: hostRemedy)
      ),
      (
        "${env.PORT}",
        .expanded("${env.PORT}", what: "'8126' is no host, address or network", remedy: hostRemedy)
      ),
    ] as [(String, ViaPodError)])
  func `A variable that is missing, or whose value does not fit, is reported with the text`(
    text: String, error: ViaPodError
  ) throws {
    let read = try ViaPodText(parsing: text)
    #expect(throws: error) { try read.rule(Self.variables) }
  }
}

private let hostRemedy =
  "write HOST, ADDRESS or ADDRESS/LENGTH, and perhaps :PORT,PORT: db.example.com, 10.20.0.0/16:5432"
