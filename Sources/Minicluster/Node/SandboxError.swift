package import DevrunSystem

/// Why something could not be done in a pod's namespaces.
package enum SandboxError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A container's program was not started; the message is a container runtime's (containerd and runc).
  case start(String)
  /// The container that a program was to be run in has ended.
  case ended
  /// Nothing took the connection to a pod's port.
  case connect(port: Int, Errno)
  /// There is no address for another pod.
  case noAddress
  /// `ip` (iproute2) refused a step, in its own words.
  case network(String)
  /// The machine refused a step.
  case system(String, Errno)

  /// The error as containerd and kubelet print it.
  package var description: String {
    switch self {
    case .start(let message): message
    case .ended: "container not running"
    case .connect(let port, let error):
      "failed to connect to localhost:\(port): dial tcp4 127.0.0.1:\(port): connect: \(error.runtimeWords)"
    case .noAddress: "no address is left in the network of pods"
    case .network(let words): "ip: \(words)"
    case .system(let step, let error): "\(step): \(error.runtimeWords)"
    }
  }
}

extension Errno {
  /// The error as programs in Go print it.
  var runtimeWords: String { description.lowercased() }
}
