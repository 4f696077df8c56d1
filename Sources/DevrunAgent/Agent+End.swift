internal import DevrunTunnel
public import NIOCore
internal import NIOPosix

extension Agent {
  /// Ends as a server of the cluster should: goes on for a while, stops accepting, lets what is open end, closes. An agent
  /// without a tunnel has nothing to serve and closes at once, also if its tunnel ends meanwhile.
  public func end(_ patience: Patience = Patience()) -> EventLoopFuture<Void> {
    log("ending")
    return eventLoop.flatSubmit { [self] in
      serve(for: patience.serving)
    }.flatMap { [self] in
      for listener in state.value.targets { listener.close(promise: nil) }
      guard state.value.isReady else { return eventLoop.makeSucceededVoidFuture() }
      log("draining \(state.value.connections.current) connections")
      return state.value.connections.drained(within: patience.draining, on: eventLoop)
    }.flatMap { [self] in closeConnections() }
  }

  /// Succeeds after so long, or when no tunnel is attached.
  private func serve(for time: TimeAmount) -> EventLoopFuture<Void> {
    guard state.value.isReady else { return eventLoop.makeSucceededVoidFuture() }
    let detached = eventLoop.makePromise(of: Void.self)
    state.value.detached = detached
    let deadline = eventLoop.scheduleTask(in: time) { detached.succeed() }
    detached.futureResult.whenComplete { [state] _ in
      deadline.cancel()
      state.value.detached = nil
    }
    return detached.futureResult
  }

  /// Closes everything at once: open connections are reset.
  public func close() -> EventLoopFuture<Void> {
    closeConnections().flatMap { [threads, eventLoop] in
      let stopped = eventLoop.makePromise(of: Void.self)
      threads.shutdownGracefully { error in
        if let error { stopped.fail(error) } else { stopped.succeed() }
      }
      return stopped.futureResult
    }
  }

  /// Closes everything that is connected or listens. A look-up of a name may still wait for its answer on another thread.
  private func closeConnections() -> EventLoopFuture<Void> {
    eventLoop.flatSubmit { [self] in
      readyPort.set(false)
      var channels = state.value.targets + [state.value.control, state.value.probes].compactMap { $0 }
      for remains in state.value.attachments.all {
        channels += [remains.outbound, remains.inbound?.channel].compactMap { $0 }
      }
      for channel in channels { channel.close(promise: nil) }
      for connection in state.value.held {
        connection.channel.triggerUserOutboundEvent(StreamReset(), promise: nil)
      }
      return EventLoopFuture.andAllComplete(channels.map(\.closeFuture), on: eventLoop)
    }
  }
}
