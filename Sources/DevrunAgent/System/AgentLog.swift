internal import Glibc

/// Short lines on standard error: what `kubectl logs` shows of the agent.
package struct AgentLog: Sendable {
  private let write: @Sendable (String) -> Void

  /// A log that hands each line to `write`.
  package init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

  /// The log of a real agent.
  package static let standardError = AgentLog { line in
    let bytes = Array("devrun-agent: \(line)\n".utf8)
    // There is nowhere to say that this failed.
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }

  func callAsFunction(_ line: String) { write(line) }
}
