internal import DevrunTunnel

/// What the agent's command line says.
public struct AgentConfiguration: Sendable, Hashable {
  /// The port on 127.0.0.1 where devrun's port-forwards arrive.
  public var controlPort: Int
  /// The ports that the app would listen on.
  public var ports: [Int]
  /// Those of the app's ports that the agent goes without if the container's user may not listen on them.
  public var optionalPorts: [Int] = []
  /// The SHA-256 of the session's secret, 64 hexadecimal digits.
  public var secretDigest: String
  /// A file that exists while a tunnel is attached; `nil` for none.
  public var readyFile: String?
  /// The port where probes are answered; `nil` for none.
  public var probePort: Int?
  /// A port that is listened on while a tunnel is attached; `nil` for none.
  public var readyPort: Int?
  /// How many seconds a connection to the app's ports waits for a tunnel.
  public var holdingSeconds: Int64 = 10
  /// Where the app's environment is read.
  public var environmentFile = "/proc/self/environ"

  /// A configuration of the given parts.
  public init(
    controlPort: Int, ports: [Int], secretDigest: String, readyFile: String? = nil, probePort: Int? = nil,
    readyPort: Int? = nil
  ) {
    self.controlPort = controlPort
    self.ports = ports
    self.secretDigest = secretDigest
    self.readyFile = readyFile
    self.probePort = probePort
    self.readyPort = readyPort
  }

  /// Reads the command line, without the program's name.
  ///
  /// The agent's own options end at `--`. What follows are the app's arguments, which a container keeps.
  ///
  /// - Throws: `AgentError.usage`.
  public init(arguments: [String]) throws(AgentError) {
    var controlPort: Int?
    var ports: [Int] = []
    var optionalPorts: [Int] = []
    var secretDigest: String?
    var readyFile: String?
    var probePort: Int?
    var readyPort: Int?
    var rest = arguments[...]
    while let option = rest.popFirst(), option != "--" {
      guard let value = rest.popFirst() else { throw .usage("\(option) needs a value") }
      switch option {
      case "--control-port": controlPort = try Self.port(value, of: option)
      case "--port": ports.append(try Self.port(value, of: option))
      case "--optional-port": optionalPorts.append(try Self.port(value, of: option))
      case "--secret-sha256":
        guard SecretDigest(hexadecimal: value) != nil else { throw .usage("\(option) needs 64 hexadecimal digits") }
        secretDigest = value
      case "--ready-file": readyFile = value
      case "--probe-port": probePort = try Self.port(value, of: option)
      case "--ready-port": readyPort = try Self.port(value, of: option)
      default: throw .usage("there is no option \(option)")
      }
    }
    guard let controlPort else { throw .usage("--control-port is missing") }
    guard let secretDigest else { throw .usage("--secret-sha256 is missing") }
    self.init(
      controlPort: controlPort, ports: ports, secretDigest: secretDigest, readyFile: readyFile, probePort: probePort,
      readyPort: readyPort)
    self.optionalPorts = optionalPorts
  }

  private static func port(_ text: String, of option: String) throws(AgentError) -> Int {
    guard let port = Int(text), (1...65535).contains(port) else {
      throw .usage("\(option) needs a port from 1 to 65535, not '\(text)'")
    }
    return port
  }
}
