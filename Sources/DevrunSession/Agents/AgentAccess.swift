internal import DevrunKube
internal import DevrunTunnel
internal import DevrunWorkload

/// How devrun and its agents recognise each other: a port of the pod's loopback that nothing else there uses, and a
/// secret of which the pod's spec holds nothing but the SHA-256.
struct AgentAccess: Sendable {
  var controlPort: UInt16
  var secret: [UInt8]

  /// A new one; the port is none that the containers of a pod template declare.
  static func random(avoiding template: KubeObject) -> AgentAccess {
    let taken = Set(template.containers.flatMap(\.ports).map(\.number))
    var generator = SystemRandomNumberGenerator()
    var port: UInt16
    repeat { port = UInt16.random(in: 20_000..<30_000, using: &generator) } while taken.contains(Int(port))
    return AgentAccess(
      controlPort: port, secret: (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
  }

  /// What the agent is started with.
  var arguments: [String] {
    [
      "--control-port", "\(controlPort)", "--secret-sha256", SecretDigest(of: secret).hexadecimal, "--ready-file",
      AgentTemplate.readyFile,
    ]
  }
}
