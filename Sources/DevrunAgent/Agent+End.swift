internal import DevrunTunnel
public import NIOCore
internal import NIOPosix

extension Agent {
  /// Ends as a server of the cluster should: goes on for a while, stops accepting, lets what is open end, closes.
  public func end(_ patience: Patience = Patience()) -> EventLoopFuture<Void> {
    log("ending")
    return eventLoop.scheduleTask(in: patience.serving) { [self] in
      for listener in state.value.targets { listener.close(promise: nil) }
      log("draining \(state.value.connections.current) connections")
      return state.value.connections
    }.futureResult.flatMap { [eventLoop] connections in
      connections.drained(within: patience.draining, on: eventLoop)
    }.flatMap { [self] in close() }
  }

  /// Closes everything at once: open connections are reset.
  public func close() -> EventLoopFuture<Void> {
    eventLoop.flatSubmit { [self] in
      var channels = state.value.targets + [state.value.control].compactMap { $0 }
      for remains in state.value.attachments.all {
        channels += [remains.outbound, remains.inbound?.channel].compactMap { $0 }
      }
      for channel in channels { channel.close(promise: nil) }
      return EventLoopFuture.andAllComplete(channels.map(\.closeFuture), on: eventLoop)
    }.flatMap { [threads, eventLoop] in
      let stopped = eventLoop.makePromise(of: Void.self)
      threads.shutdownGracefully { error in
        if let error { stopped.fail(error) } else { stopped.succeed() }
      }
      return stopped.futureResult
    }
  }
}
