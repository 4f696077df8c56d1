package import NIOCore
internal import NIOHPACK

/// Serves the streams that the peer opens.
package enum StreamServer {
  /// Waits for the stream's request, whichever it is.
  ///
  /// - Parameters:
  ///   - pool: what this end's streams share.
  ///   - handle: called on the event loop with the request, nothing after its head read yet.
  package static func accept(
    _ stream: any Channel, pool: WindowPool, handle: @escaping @Sendable (StreamRequest, any Channel) -> Void
  ) throws {
    let handler = HTTP2StreamHandler(request: nil, pool: pool) { [weak stream] head in
      // Without a head the stream has been reset already, and nobody waits for an answer.
      guard case .success(let headers) = head, let stream else { return }
      handle(StreamRequest(headers: headers), stream)
    }
    try stream.pipeline.syncOperations.addHandler(handler)
  }

  /// Answers a CONNECT with what the dial gives, and joins the two.
  package static func join(_ stream: any Channel, to dial: EventLoopFuture<Result<any Channel, DialFailure>>) {
    dial.hop(to: stream.eventLoop).assumeIsolated().whenComplete { result in
      switch result {
      case .success(.success(let socket)):
        guard stream.isActive else { return socket.triggerUserOutboundEvent(StreamReset(), promise: nil) }
        begin(on: stream)
        // Where one of them is gone already, join resets the other; there is nobody else to tell.
        _ = Result { try Relay.join(socket, stream) }
      case .success(.failure(let failure)):
        respond(ResponseHead(failure.headers, endStream: true), on: stream)
      case .failure(let error):
        respond(ResponseHead(DialFailure.refused("\(error)").headers, endStream: true), on: stream)
      }
    }
  }

  /// Answers with a document.
  package static func answer(_ document: ByteBuffer, on stream: any Channel) {
    begin(on: stream)
    stream.write(document, promise: nil)
    stream.close(mode: .output, promise: nil)
  }

  /// Answers that the request cannot be served.
  package static func refuse(_ reason: String, status: String, on stream: any Channel) {
    let headers: HPACKHeaders = [
      ":status": status, DialFailure.failureField: "refused", DialFailure.reasonField: reason,
    ]
    respond(ResponseHead(headers, endStream: true), on: stream)
  }

  /// Answers that the request is served; the bytes follow.
  package static func begin(on stream: any Channel) {
    respond(ResponseHead([":status": "200"], endStream: false), on: stream)
  }

  private static func respond(_ head: ResponseHead, on stream: any Channel) {
    stream.triggerUserOutboundEvent(head, promise: nil)
  }
}
