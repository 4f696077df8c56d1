internal import DevrunKube
internal import DevrunTunnel
internal import DevrunWorkload

/// How devrun and its agents recognise each other: ports of the pod that nothing else there uses, and a secret of which
/// the pod's spec holds nothing but the SHA-256.
struct AgentAccess: Sendable {
  var ports: AgentPorts
  var secret: [UInt8]

  /// A new one; the ports are none that the containers of a pod template declare.
  static func random(avoiding template: KubeObject) -> AgentAccess {
    AgentAccess(ports: .random(avoiding: template), secret: (0..<32).map { _ in UInt8.random(in: .min ... .max) })
  }

  /// The SHA-256 of the secret, as the agent's command line has it.
  var secretDigest: String { SecretDigest(of: secret).hexadecimal }
}
