internal import DevrunSystem
internal import Glibc

/// Short lines on standard error: what `kubectl logs` shows of the agent.
package struct AgentLog: Sendable {
  private let write: @Sendable (String) -> Void

  /// A log that hands each line to `write`.
  package init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

  /// The log of a real agent.
  package static let standardError = AgentLog { line in
    // If this fails, there is nobody else to report it to.
    try? Descriptor.writeAll("devrun-agent: \(line)\n".utf8, to: STDERR_FILENO)
  }

  func callAsFunction(_ line: String) { write(line) }
}
