package import NIOCore

/// What the API asks of the node about pods that run on it.
package protocol NodeAccess: Sendable {
  /// The log of a container.
  ///
  /// - Throws: 400 if there is no such container, or it has not started.
  func log(of pod: PodName, _ options: LogOptions) throws(APIFailure) -> AsyncStream<ByteBuffer>

  /// Connects to a port on the pod's own loopback address, in its network namespace.
  ///
  /// - Returns: a connected TCP channel without handlers, with half closure allowed; auto-read is off.
  func connect(to port: Int, of pod: PodName, on loop: any EventLoop) async throws -> any Channel
}

/// A pod's name and namespace.
package struct PodName: Sendable, Hashable {
  package var namespace: String
  package var name: String

  package init(namespace: String, name: String) {
    self.namespace = namespace
    self.name = name
  }
}

/// The options of a request for a log (`core/v1` PodLogOptions).
package struct LogOptions: Sendable {
  /// The container; `nil` is the pod's only one.
  package var container: String?
  /// Whether to go on with what comes.
  package var follow = false
  /// Whether the container's last run is meant, and not the present one.
  package var previous = false
  /// Whether each line begins with its time (RFC 3339).
  package var timestamps = false
  /// How many lines at the end to begin with; `nil`: all.
  package var tailLines: Int?
  /// At most so many bytes.
  package var limitBytes: Int?

  package init() {}
}
