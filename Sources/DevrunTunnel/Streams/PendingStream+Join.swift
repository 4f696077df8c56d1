package import NIOCore

extension PendingStream where Opened == any Channel {
  /// Joins a connection with the stream, as soon as that is there; resets the connection where it does not come to be.
  ///
  /// To be called on the connection's event loop, which is the stream's as well.
  package func join(_ connection: any Channel) {
    // A peer that gives up meanwhile must not leave a request behind. Later it is the relay that ends the stream: the
    // peer may have closed its socket with nothing left to say and bytes still on their way.
    let isWaiting = NIOLoopBoundBox(true, eventLoop: connection.eventLoop)
    connection.closeFuture.whenComplete { [cancel] _ in
      if isWaiting.value { cancel() }
    }
    stream.whenComplete { result in
      isWaiting.value = false
      switch result {
      case .success(let stream):
        // Where one of them is gone already, join resets the other; there is nobody else to tell.
        _ = Result { try Relay.join(connection, stream) }
      case .failure:
        connection.triggerUserOutboundEvent(StreamReset(), promise: nil)
      }
    }
  }
}
