internal import DevrunAgentAPI
internal import DevrunCore
internal import DevrunTunnel
internal import NIOCore
internal import NIOPosix

/// Serves the streams that devrun opens: connections to the cluster, and questions about the container.
struct RequestServer: Sendable {
  let sockets: SocketDialer
  let resolver: NameResolver
  let threads: NIOThreadPool
  let environmentFile: String
  let archives: ArchiveOpening
  /// Called with each connection that was made for devrun, on the event loop.
  let connected: @Sendable (any Channel) -> Void

  /// Serves one stream.
  func serve(_ request: StreamRequest, on stream: any Channel) {
    switch request {
    case .connect(let authority): StreamServer.join(stream, to: dial(authority))
    case .get("/environment", _): answer(on: stream) { [environmentFile] in try SmallFile.read(environmentFile) }
    case .get("/info", _): answer(on: stream) { NULSeparated.encode(ContainerFacts.read().lines) }
    case .get("/volumes", let query):
      sendArchive(query["path"] ?? [], query["select"], on: stream)
    case .get("/volumes/size", let query):
      answer(on: stream) {
        try FolderSize(path: query["path"] ?? [], selection: query["select"].flatMap { PathSelection($0) }).line
      }
    case .get("/volumes/changes", let query): sendChanges(NULSeparated.decode(query["paths"] ?? []), on: stream)
    case .get(let path, _): StreamServer.refuse("there is no \(path)", status: "404", on: stream)
    case .unknown(let what): StreamServer.refuse("\(what) is not served", status: "400", on: stream)
    }
  }

  private func dial(_ authority: Authority) -> EventLoopFuture<Result<any Channel, DialFailure>> {
    resolver.resolve(authority, on: sockets.eventLoop).flatMap { addresses in
      switch addresses {
      case .success(let addresses): sockets.connect(to: addresses)
      case .failure(let failure): sockets.eventLoop.makeSucceededFuture(.failure(failure))
      }
    }.map { result in
      if case .success(let channel) = result { connected(channel) }
      return result
    }
  }

  private func answer(on stream: any Channel, _ document: @escaping @Sendable () throws -> [UInt8]) {
    threads.runIfActive(eventLoop: stream.eventLoop, document).whenComplete { result in
      switch result {
      case .success(let bytes): StreamServer.answer(ByteBuffer(bytes: bytes), on: stream)
      case .failure(let error): StreamServer.refuse("\(error)", status: "500", on: stream)
      }
    }
  }

  private func sendChanges(_ paths: [RawString], on stream: any Channel) {
    do {
      let handler = VolumeChangesHandler(watch: try VolumeWatch(paths: paths.map(\.bytes)))
      StreamServer.begin(on: stream)
      try stream.pipeline.syncOperations.addHandler(handler)
    } catch {
      StreamServer.refuse("\(error)", status: "500", on: stream)
    }
  }

  private func sendArchive(_ path: [UInt8], _ selection: [UInt8]?, on stream: any Channel) {
    threads.runIfActive(eventLoop: stream.eventLoop) { [archives] in
      try archives(path, selection)
    }.whenComplete { result in
      switch result {
      case .success(let source):
        StreamServer.begin(on: stream)
        let handler = ArchiveSendHandler(source: source, threads: threads)
        do {
          try stream.pipeline.syncOperations.addHandler(handler)
        } catch {
          stream.close(promise: nil)
        }
      case .failure(let error):
        StreamServer.refuse("\(error)", status: "404", on: stream)
      }
    }
  }
}
