public import NIOCore

extension Tunnel {
  /// Connects to a host of the cluster, from the pod.
  ///
  /// - Parameters:
  ///   - host: a name as the pod resolves it, or an address.
  ///   - port: the port there.
  /// - Returns: a channel of `ByteBuffer`s on the tunnel's event loop. Nothing is read from it before its first
  ///   `read()`; `ChannelEvent.inputClosed` is the far end's half-close, `close(mode: .output)` is ours, and closing it
  ///   entirely before both resets the far end.
  /// - Throws: why the connection could not be made.
  public func dial(host: String, port: Int) async throws(DialError) -> any Channel {
    let pending = startDial(Authority(host: host, port: port))
    do {
      return try await withTaskCancellationHandler {
        try await pending.stream.get()
      } onCancel: {
        pending.cancel()
      }
    } catch {
      throw error as? DialError ?? .tunnelClosed
    }
  }

  /// Starts a dial and returns at once.
  package func startDial(_ authority: Authority) -> PendingStream<any Channel> {
    counter.countOutboundConnection()
    return streams.open(.connect(authority), timeout: options.dialTimeout)
  }
}
